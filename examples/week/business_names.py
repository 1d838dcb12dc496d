"""Fictional business names from neutral words; any resemblance is accidental."""

from __future__ import annotations

import random

_FIRST = """
    Amber Birch Blue Bright Cedar Clear Copper Coral Crescent Dune East Elm Fern Field Golden
    Granite Green Grove Harbour Hazel High Indigo Ivory Lake Linden Long Maple Meadow Mill North Oak
    Olive Pebble Pine Quarry Quiet Red River Sand Silver Slate South Spring Stone Summit Tall Valley
    West White Willow
""".split()  # noqa: SIM905 - easier to read and to change
_SECOND = """
    Acre Anchor Arch Bay Bridge Brook Corner Court Crest Dale Door Field Ford Gate Glen Hill House
    Island Lane Ledge Light Mark Mill Moor Park Path Pier Point Pond Port Ridge Road Rock Row Shore
    Side Square Street Trail View Wharf Wood Works Yard
""".split()  # noqa: SIM905 - easier to read and to change
_TRADE = """
    Architects Bakery Bicycles Boats Books Brewing Cabinets Catering Ceramics Cleaning Clinic Coffee
    Construction Couriers Dairy Dental Design Electric Engineering Farms Fittings Flooring Florist
    Foods Freight Furniture Gardens Glass Heating Hotel Instruments Insurance Interiors Joinery
    Kitchens Laundry Lighting Logistics Motors Optics Packaging Paper Pharmacy Plumbing Pottery
    Press Printing Roofing Software Steel Storage Studios Supplies Surveyors Textiles Timber Tools
    Travel Veterinary
""".split()  # noqa: SIM905 - easier to read and to change
_DESKS = ("Front desk", "Accounts desk", "Purchasing desk", "Works office", "Service desk")


def business_name(rng: random.Random) -> str:
    """A fictional name such as ``Amber Mill Foods``."""
    first, second = rng.choice(_FIRST), rng.choice(_SECOND)
    return f"{first} {second if second != first else 'Hill'} {rng.choice(_TRADE)}"


def desk_of(rng: random.Random, business: str) -> str:
    """A contact without a person's name: ``Front desk, Amber Mill Foods``."""
    return f"{rng.choice(_DESKS)}, {business}"


def email_of(business: str) -> str:
    """An email address in a domain reserved for documentation (RFC 2606)."""
    return f"office@{business.lower().replace(' ', '-')}.example"
