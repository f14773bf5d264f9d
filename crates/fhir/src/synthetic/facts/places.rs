//! Invented towns, streets and hospitals. None of them exists.

/// Towns, each with the first three digits of its postal codes.
pub(in crate::synthetic) const TOWNS: &[(&str, &str)] = &[
    ("Aldermoor", "101"),
    ("Brackenfield", "114"),
    ("Caldwick", "127"),
    ("Dunhaven", "133"),
    ("Elmscar", "146"),
    ("Foxley Wells", "152"),
    ("Greyharbour", "168"),
    ("Hollinmouth", "171"),
    ("Ivelbridge", "189"),
    ("Kestrel Bay", "195"),
    ("Lowmarket", "203"),
    ("Millthorpe Green", "216"),
];

/// Streets.
pub(in crate::synthetic) const STREETS: &[&str] = &[
    "Anchor Lane",
    "Bakehouse Row",
    "Chandler Street",
    "Dovecote Road",
    "Ferry Hill",
    "Garden Walk",
    "Heron Close",
    "Lantern Street",
    "Meadow Rise",
    "Orchard Terrace",
    "Quarry Road",
    "Saddlers Yard",
    "Tollgate Avenue",
    "Weavers Lane",
    "Windmill Street",
];

/// Hospitals: identifier and name.
pub(in crate::synthetic) const HOSPITALS: &[(&str, &str)] = &[
    ("northgate", "Northgate General Hospital"),
    ("riverside", "Riverside University Hospital"),
    ("st-brannoc", "St Brannoc's Hospital"),
    ("kestrel-bay", "Kestrel Bay Clinic"),
    ("hollinmouth", "Hollinmouth District Hospital"),
    ("lowmarket", "Lowmarket Women's and Children's Hospital"),
    ("elmscar", "Elmscar Heart and Lung Centre"),
    ("greyharbour", "Greyharbour Rehabilitation Hospital"),
];

/// Health insurers.
pub(in crate::synthetic) const INSURERS: &[(&str, &str)] = &[
    ("harbour-mutual", "Harbour Mutual Health"),
    ("commonweal", "Commonweal Health Fund"),
    ("guildcare", "Guildcare Insurance"),
];

/// Family names of staff, who are as invented as the patients.
pub(in crate::synthetic) const STAFF: &[&str] = &[
    "Adeyemi",
    "Brooke",
    "Castellan",
    "Dvorak",
    "Eriksen",
    "Fontaine",
    "Greenhalgh",
    "Hashimoto",
    "Ismail",
    "Jovanovic",
    "Kaplan",
    "Lindgren",
    "Moreau",
    "Nwosu",
    "Okonkwo",
    "Petrov",
    "Quayle",
    "Rahman",
    "Santos",
    "Tanaka",
    "Ulvestad",
    "Varga",
    "Whitlock",
    "Yilmaz",
];
