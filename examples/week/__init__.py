"""Parts of the week that ``examples.generate_week`` writes."""
