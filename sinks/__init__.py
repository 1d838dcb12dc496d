"""The storeroom: the only room that speaks SQL."""
