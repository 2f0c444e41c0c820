//! Keys are made once, kept, and work.

use super::*;
use mysql_wire::auth::KeyPair;
use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};

fn folder(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("sextant-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn the_certificate_is_made_once() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("tls");
    acceptor(&folder).unwrap();
    let first = std::fs::read(folder.join("server-cert.pem")).unwrap();
    acceptor(&folder).unwrap();
    assert_eq!(std::fs::read(folder.join("server-cert.pem")).unwrap(), first);
    let mode = std::fs::metadata(folder.join("server-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(folder.join("server-cert.pem"), "nonsense").unwrap();
    assert!(acceptor(&folder).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_the_public_key_encrypts_the_private_one_decrypts() {
    let folder = folder("rsa");
    let pair = RsaPair::load_or_make(&folder).unwrap();
    let pem = std::str::from_utf8(pair.public_pem().unwrap()).unwrap();
    let public = RsaPublicKey::from_public_key_pem(pem).unwrap();
    let mut random = [0; 8];
    random_bytes(&mut random).unwrap();
    struct Zero(u64);
    impl rsa::rand_core::RngCore for Zero {
        fn next_u32(&mut self) -> u32 {
            self.next_u64() as u32
        }
        fn next_u64(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0
        }
        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.iter_mut().for_each(|b| *b = self.next_u64() as u8);
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
            self.fill_bytes(bytes);
            Ok(())
        }
    }
    impl rsa::rand_core::CryptoRng for Zero {}
    let mut source = Zero(u64::from_le_bytes(random));
    let cipher = public.encrypt(&mut source, Oaep::new::<sha1::Sha1>(), b"password\0").unwrap();
    assert_eq!(pair.decrypt(&cipher).unwrap(), b"password\0");
    assert_eq!(pair.decrypt(&cipher[1..]), None);
    let again = RsaPair::load_or_make(&folder).unwrap();
    assert_eq!(again.decrypt(&cipher).unwrap(), b"password\0");
    std::fs::remove_dir_all(folder).unwrap();
}
