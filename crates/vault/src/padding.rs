//! Padding that hides sizes: Padme (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files
//! and Communication with PURBs", PoPETs 2019, section 4).
//!
//! A length is rounded up until its floating-point form has a mantissa no longer than its exponent.
//! A holder of an envelope then learns O(log log n) bits of the size at a cost of at most 12 %,
//! and of small records nothing: everything up to [`PADDED_BYTES_MIN`] looks the same.

use crate::limits::PADDED_BYTES_MIN;

/// The length to which content of `len` bytes is padded: at least `len`, and the same for
/// every length that it stands for.
pub const fn padded_len(len: usize) -> usize {
    if len <= PADDED_BYTES_MIN {
        return PADDED_BYTES_MIN;
    }
    let exponent = len.ilog2();
    let mantissa_bits = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - mantissa_bits)) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_the_paper_and_the_floor() {
        for (len, padded) in [
            (0, 512),
            (1, 512),
            (512, 512),
            (513, 544),
            (544, 544),
            (1_000, 1_024),
            (1_025, 1_088),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + (1 << 15)),
        ] {
            assert_eq!(padded_len(len), padded, "length {len}");
        }
    }

    #[test]
    fn padding_never_shrinks_costs_an_eighth_at_most_and_is_stable() {
        let mut previous = 0;
        for len in 512..200_000 {
            let padded = padded_len(len);
            assert!(padded >= len && padded >= previous);
            assert!(padded - len <= len / 8);
            assert_eq!(padded_len(padded), padded);
            previous = padded;
        }
    }
}
