//! Keys that sign JSON Web Tokens, for apps and identity providers of tests.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa, signature as sign,
    signature::KeyPair as _,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A key pair with a name.
pub struct Key {
    pub id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(rsa::KeyPair),
    P256(sign::EcdsaKeyPair),
    P384(sign::EcdsaKeyPair),
}

impl Key {
    /// RSA with 2048 bits: RS256 and RS384.
    pub fn rsa(id: &'static str) -> Key {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Key { id, pair: Pair::Rsa(rsa::KeyPair::from_pkcs8(der.as_ref()).unwrap()) }
    }

    /// P-256: ES256.
    pub fn p256(id: &'static str) -> Key {
        let algorithm = &sign::ECDSA_P256_SHA256_FIXED_SIGNING;
        Key { id, pair: Pair::P256(sign::EcdsaKeyPair::generate(algorithm).unwrap()) }
    }

    /// P-384: ES384.
    pub fn p384(id: &'static str) -> Key {
        let algorithm = &sign::ECDSA_P384_SHA384_FIXED_SIGNING;
        Key { id, pair: Pair::P384(sign::EcdsaKeyPair::generate(algorithm).unwrap()) }
    }

    /// The public half.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let curve = |name: &str, pair: &sign::EcdsaKeyPair| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": name, "kid": self.id, "x": encode(x), "y": encode(y) })
        };
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA", "kid": self.id,
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => curve("P-256", pair),
            Pair::P384(pair) => curve("P-384", pair),
        }
    }

    /// The private half of a key on a curve, as a file of it (RFC 7468).
    pub fn pem(&self) -> String {
        let (Pair::P256(pair) | Pair::P384(pair)) = &self.pair else { panic!("a key on a curve") };
        let text = STANDARD.encode(pair.to_pkcs8v1().unwrap());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    /// Signs a token under its own name.
    pub fn sign(&self, algorithm: &str, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": algorithm, "kid": self.id, "typ": "JWT" }), claims)
    }

    /// Signs a token with this header, whatever it says.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let (bytes, random) = (signed.as_bytes(), SystemRandom::new());
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let padding = match header["alg"] == "RS384" {
                    true => &sign::RSA_PKCS1_SHA384,
                    false => &sign::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, bytes, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, bytes).unwrap().as_ref().to_vec()
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The challenge of a verifier (RFC 7636).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The claims of a token, unchecked.
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A key set as the configuration writes it.
pub fn toml_keys(keys: &[&Key]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| {
            let jwk = key.jwk();
            let fields = jwk.as_object().unwrap().iter();
            let fields: Vec<String> =
                fields.map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{{ {} }}", fields.join(", "))
        })
        .collect();
    format!("{{ keys = [{}] }}", keys.join(", "))
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}
