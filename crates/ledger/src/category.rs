//! What kind of record a record is, and sets of such kinds.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)*) => {
        /// The kind of a record: what a patient grants and what a scope opens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(BorshSerialize, BorshDeserialize)]
        #[borsh(use_discriminant = true)]
        #[repr(u8)]
        pub enum Category { $($(#[$doc])* $variant = $code,)* }

        impl Category {
            /// Every category, in the order of its code.
            pub const ALL: &[Category] = &[$(Category::$variant,)*];

            /// The word used in interfaces, as in `mental-health`.
            pub fn name(self) -> &'static str {
                match self { $(Category::$variant => $text,)* }
            }
        }
    };
}

categories! {
    /// Allergies and intolerances.
    Allergies = 0, "allergies";
    /// Medication orders, statements, dispenses, administrations.
    Medications = 1, "medications";
    /// Conditions and concerns.
    Problems = 2, "problems";
    /// Vaccinations.
    Immunizations = 3, "immunizations";
    /// Laboratory and other results.
    Results = 4, "results";
    /// Vital signs.
    Vitals = 5, "vitals";
    /// Procedures.
    Procedures = 6, "procedures";
    /// Encounters and episodes.
    Encounters = 7, "encounters";
    /// Notes and documents.
    Documents = 8, "documents";
    /// Imaging studies.
    Imaging = 9, "imaging";
    /// Who the patient is.
    Demographics = 10, "demographics";
    /// Devices and implants.
    Devices = 11, "devices";
    /// Care plans, goals, advance directives.
    Careplans = 12, "careplans";
    /// Coverage, claims and benefits.
    Coverage = 13, "coverage";
    /// Audit events and provenance.
    Audit = 14, "audit";
    /// Sensitive overlay: mental health.
    MentalHealth = 15, "mental-health";
    /// Sensitive overlay: sexual and reproductive health.
    SexualHealth = 16, "sexual-health";
    /// Sensitive overlay: substance use.
    SubstanceUse = 17, "substance-use";
    /// Sensitive overlay: genetics.
    Genetics = 18, "genetics";
    /// Sensitive overlay: violence and abuse.
    Violence = 19, "violence";
}

impl Category {
    /// The category with this name, as in `mental-health`.
    pub fn parse(name: &str) -> Option<Category> {
        Category::ALL.iter().copied().find(|category| category.name() == name)
    }
}

/// A set of categories, as a bit mask of their codes. Unknown bits do not decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategorySet(u32);

impl CategorySet {
    /// No category.
    pub const EMPTY: CategorySet = CategorySet(0);
    /// Every category, sensitive ones too.
    pub const ALL: CategorySet = CategorySet((1 << Category::ALL.len()) - 1);
    /// The sensitive overlays.
    pub const SENSITIVE: CategorySet = CategorySet::of(&[
        Category::MentalHealth,
        Category::SexualHealth,
        Category::SubstanceUse,
        Category::Genetics,
        Category::Violence,
    ]);
    /// What an emergency may open: the vital facts.
    pub const EMERGENCY: CategorySet = CategorySet::of(&[
        Category::Allergies,
        Category::Medications,
        Category::Problems,
        Category::Demographics,
        Category::Devices,
        Category::Careplans,
    ]);

    /// The set of the given categories.
    pub const fn of(categories: &[Category]) -> CategorySet {
        let mut bits = 0;
        let mut index = 0;
        while index < categories.len() {
            bits |= 1 << categories[index] as u32;
            index += 1;
        }
        CategorySet(bits)
    }

    /// Whether the set holds nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many categories the set holds.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set holds this category.
    pub fn contains(self, category: Category) -> bool {
        self.0 & (1 << category as u32) != 0
    }

    /// What both sets hold.
    pub fn and(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 & other.0)
    }

    /// What either set holds.
    pub fn or(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 | other.0)
    }

    /// What this set holds and the other does not.
    pub fn without(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 & !other.0)
    }

    /// The categories of the set, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL.iter().copied().filter(move |category| self.contains(*category))
    }

    /// The names of the categories of the set.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Category::name).collect()
    }
}

impl FromIterator<Category> for CategorySet {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> Self {
        categories.into_iter().fold(Self::EMPTY, |set, category| set.or(Self::of(&[category])))
    }
}

impl BorshSerialize for CategorySet {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.0.serialize(writer)
    }
}

impl BorshDeserialize for CategorySet {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let bits = u32::deserialize_reader(reader)?;
        if bits & !Self::ALL.0 != 0 {
            return Err(borsh::io::Error::new(
                borsh::io::ErrorKind::InvalidData,
                "unknown category",
            ));
        }
        Ok(Self(bits))
    }
}
