//! The server's side of SCRAM (RFC 5802, RFC 7677), without channel binding.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};

/// As Kafka's default.
const ITERATIONS: u32 = 4096;

/// Of which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

/// What a server keeps in place of a password.
#[derive(Clone)]
pub(crate) struct Credential {
    hash: Hash,
    salt: [u8; 16],
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Credential {
    pub(crate) fn new(hash: Hash, password: &str) -> Credential {
        let mut salt = [0; 16];
        fastrand::fill(&mut salt);
        let salted = hash.salted(password.as_bytes(), &salt);
        let stored_key = hash.digest(&hash.hmac(&salted, b"Client Key"));
        let server_key = hash.hmac(&salted, b"Server Key");
        Credential { hash, salt, stored_key, server_key }
    }
}

impl Hash {
    fn salted(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, ITERATIONS).to_vec(),
            Hash::Sha512 => pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, ITERATIONS).to_vec(),
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        const ANY: &str = "HMAC takes keys of any length";
        match self {
            Hash::Sha256 => {
                Hmac::<Sha256>::new_from_slice(key).expect(ANY).chain_update(text).finalize().into_bytes().to_vec()
            }
            Hash::Sha512 => {
                Hmac::<Sha512>::new_from_slice(key).expect(ANY).chain_update(text).finalize().into_bytes().to_vec()
            }
        }
    }
}

/// The client's first message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct First<'a> {
    gs2_header: &'a str,
    bare: &'a str,
    pub(crate) user: String,
    /// Whom the client wants to be taken for, if it says so.
    pub(crate) authorization: Option<String>,
    nonce: &'a str,
}

impl First<'_> {
    /// `None` if it is no such message, or one that wants what is not offered.
    pub(crate) fn read(token: &[u8]) -> Option<First<'_>> {
        let text = std::str::from_utf8(token).ok()?;
        let mut parts = text.splitn(3, ',');
        let (flag, authorization, bare) = (parts.next()?, parts.next()?, parts.next()?);
        if !matches!(flag, "n" | "y") {
            return None;
        }
        let authorization = match authorization {
            "" => None,
            name => Some(unescaped(name.strip_prefix("a=")?)?),
        };
        let mut attributes = bare.split(',');
        // An extension that must be understood would stand first.
        let user = unescaped(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| !nonce.is_empty())?;
        let gs2_header = &text[..text.len() - bare.len()];
        Some(First { gs2_header, bare, user, authorization, nonce })
    }
}

/// `=2C` and `=3D` stand for what would end a name.
fn unescaped(name: &str) -> Option<String> {
    let plain = name.replace("=2C", ",").replace("=3D", "=");
    let is_escaped = name.matches('=').count() == name.matches("=2C").count() + name.matches("=3D").count();
    (!name.is_empty() && is_escaped).then_some(plain)
}

/// An exchange whose first half is done.
#[derive(Clone)]
pub(crate) struct Exchange {
    credential: Credential,
    /// What both sides sign, up to the client's last message.
    signed: String,
    channel: String,
    nonce: String,
}

impl Exchange {
    /// Begins it: the server's first message goes back.
    pub(crate) fn begin(credential: Credential, first: &First<'_>) -> (Exchange, String) {
        let ours: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let nonce = format!("{}{ours}", first.nonce);
        let challenge = format!("r={nonce},s={},i={ITERATIONS}", BASE64_STANDARD.encode(credential.salt));
        let signed = format!("{},{challenge}", first.bare);
        let channel = BASE64_STANDARD.encode(first.gs2_header);
        (Exchange { credential, signed, channel, nonce }, challenge)
    }

    /// Ends it: the server's last message, if the client has proved that it knows the password.
    pub(crate) fn end(self, token: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(token).ok()?;
        let (unproved, proof) = text.rsplit_once(",p=")?;
        let mut attributes = unproved.split(',');
        let (channel, nonce) = (attributes.next()?.strip_prefix("c=")?, attributes.next()?.strip_prefix("r=")?);
        // Kafka takes nothing else since 4.0: librdkafka before 2.6 sends its own part twice and is refused.
        if channel != self.channel || nonce != self.nonce {
            return None;
        }
        let proof = BASE64_STANDARD.decode(proof).ok()?;
        let Credential { hash, stored_key, server_key, .. } = self.credential;
        let signed = format!("{},{unproved}", self.signed);
        let signature = hash.hmac(&stored_key, signed.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if hash.digest(&client_key) != stored_key {
            return None;
        }
        Some(format!("v={}", BASE64_STANDARD.encode(hash.hmac(&server_key, signed.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_example_of_the_rfc() {
        let salt: [u8; 16] = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let salted = Hash::Sha256.salted(b"pencil", &salt);
        let stored_key = Hash::Sha256.digest(&Hash::Sha256.hmac(&salted, b"Client Key"));
        let server_key = Hash::Sha256.hmac(&salted, b"Server Key");
        let credential = Credential { hash: Hash::Sha256, salt, stored_key, server_key };
        let first = First::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!((first.user.as_str(), &first.authorization), ("user", &None));
        let (mut exchange, challenge) = Exchange::begin(credential, &first);
        assert!(challenge.ends_with(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), "{challenge}");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        exchange.signed = exchange.signed.replace(&exchange.nonce, nonce);
        exchange.nonce = nonce.to_owned();
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let end = exchange.clone().end(last.as_bytes());
        assert_eq!(end.as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        for wrong in
            [last.replace("dHzb", "dHzc"), last.replace("biws", "eSws"), last.replace("k0", "k1"), String::new()]
        {
            assert_eq!(exchange.clone().end(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn first_messages() {
        let first = First::read(b"y,a=b=3Dc,n=a=2Cb,r=x,e=1").unwrap();
        assert_eq!((first.user.as_str(), first.authorization.as_deref()), ("a,b", Some("b=c")));
        for bad in ["", "n,,", "n,,n=,r=x", "n,,n=a=b,r=x", "p=tls-unique,,n=a,r=x", "n,,m=x,n=a,r=x", "n,,n=a,r="] {
            assert_eq!(First::read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(First::read(&[0xff, 0xfe]), None);
    }
}
