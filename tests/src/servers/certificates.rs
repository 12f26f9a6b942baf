//! Certificates for servers with TLS, made anew for each run.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::error::{Result, while_doing};

/// The names for which the certificate of a server is good.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Where the certificates of a run are, as PEM files. Beside them is `stranger.pem`, of a client that the other authority
/// has signed.
///
/// A server can be told to show another one of them: `.with_setting("tls-cert-file", "expired.pem")` and
/// `.with_setting("tls-key-file", "expired.key")`, or `wrong-host`.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority that signed those of servers and of clients.
    pub ca: PathBuf,
    /// An authority that the servers do not trust.
    pub other_ca: PathBuf,
    /// What a client can show.
    pub client: PathBuf,
    /// The private key of it.
    pub client_key: PathBuf,
}

/// A file and what is in it.
pub(crate) type File = (String, Vec<u8>);

/// Makes the certificates in `folder`; returns where they are, and the files that a server needs.
pub(crate) fn make(folder: &Path) -> Result<(Certificates, Vec<File>)> {
    let files = all_files().map_err(while_doing("making certificates"))?;
    for (name, content) in &files {
        std::fs::write(folder.join(name), content)?;
    }
    let certificates = Certificates {
        ca: folder.join("ca.pem"),
        other_ca: folder.join("other-ca.pem"),
        client: folder.join("client.pem"),
        client_key: folder.join("client.key"),
    };
    Ok((certificates, files))
}

fn all_files() -> std::result::Result<Vec<File>, rcgen::Error> {
    let (ca, issuer) = authority("state tests")?;
    let (other, other_issuer) = authority("another authority")?;
    let mut files = vec![("ca.pem".to_owned(), ca), ("other-ca.pem".to_owned(), other)];
    for (name, hosts, last_year, issuer) in [
        ("server", NAMES.as_slice(), 2100, &issuer),
        ("expired", NAMES.as_slice(), 2001, &issuer),
        ("wrong-host", ["elsewhere.test"].as_slice(), 2100, &issuer),
        ("client", ["client.test"].as_slice(), 2100, &issuer),
        ("stranger", ["client.test"].as_slice(), 2100, &other_issuer),
    ] {
        let mut params = params(name, hosts, last_year)?;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        files.push((format!("{name}.pem"), certificate.pem().into_bytes()));
        files.push((format!("{name}.key"), key.serialize_pem().into_bytes()));
    }
    Ok(files)
}

fn authority(name: &str) -> std::result::Result<(Vec<u8>, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = params(name, &[], 2100)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem().into_bytes(), Issuer::new(params, key)))
}

fn params(
    name: &str,
    hosts: &[&str],
    last_year: i32,
) -> std::result::Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    Ok(params)
}
