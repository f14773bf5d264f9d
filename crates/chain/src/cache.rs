//! A bounded map that forgets what was not used lately.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of entries: the young one takes what is new or used again; when it is full the old
/// one is dropped and the young one grows old. Everything used within the last `capacity` insertions
/// stays, at the cost of one hash map operation and no list.
pub(crate) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// A cache of at most twice `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    /// The value, which counts as used.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get(key)
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Puts a value in place of what was there.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut cache = Cache::new(4);
        for key in 0..100 {
            cache.insert(key, key * 2);
            assert_eq!(cache.get(&0), Some(&0), "used every time");
            assert_eq!(cache.get(&key), Some(&(key * 2)), "just put");
        }
        assert_eq!(cache.get(&50), None);
        assert!(cache.young.len() + cache.old.len() <= 8);
    }

    #[test]
    fn the_newest_value_wins_in_either_generation() {
        let mut cache = Cache::new(2);
        cache.insert("a", 1);
        cache.insert("b", 1);
        cache.insert("c", 1);
        cache.insert("a", 2);
        assert_eq!(cache.get(&"a"), Some(&2));
        cache.insert("d", 1);
        cache.insert("e", 1);
        assert_ne!(cache.get(&"a"), Some(&1), "no older value comes back");
    }
}
