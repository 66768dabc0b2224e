//! Certificates for specs and benchmarks: two CAs, one below the first, and what nodes may have of them.
//!
//!     certificates DIRECTORY
//!
//! Writes `ca.pem`, `other-ca.pem` and `between.pem`, and for each node below NAME.pem and NAME.key.

use std::error::Error;
use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Ca = CertifiedIssuer<'static, KeyPair>;

/// The names of what runs on this machine, as specs reach it.
const HERE: [&str; 4] = ["localhost", "127.0.0.1", "::1", "node-1.cluster"];

fn main() -> Outcome<()> {
    let directory = std::env::args().nth(1).ok_or("usage: certificates DIRECTORY")?;
    let directory = Path::new(&directory);
    let ours = authority(directory, "ca", None)?;
    let other = authority(directory, "other-ca", None)?;
    let between = authority(directory, "between", Some(&ours))?;

    let mut node = leaf(&HERE)?;
    let uri = SanType::URI("spiffe://cluster/node-1".try_into()?);
    node.subject_alt_names.push(uri);
    issue(directory, "node", node.clone(), &ours)?;
    // The same node after its certificate was renewed, with one more name to tell it by.
    node.subject_alt_names.push(SanType::DnsName("renewed.cluster".try_into()?));
    issue(directory, "renewed", node, &ours)?;
    issue(directory, "client", leaf(&["client.cluster"])?, &ours)?;
    issue(directory, "elsewhere", leaf(&["another.host"])?, &ours)?;
    issue(directory, "stranger", leaf(&HERE)?, &other)?;
    issue(directory, "below", leaf(&HERE)?, &between)?;

    // For one who listens, and never connects.
    let mut server = leaf(&HERE)?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    issue(directory, "server", server, &ours)?;

    let mut early = leaf(&HERE)?;
    early.not_before = date_time_ymd(4000, 1, 1);
    issue(directory, "early", early, &ours)?;
    let mut expired = leaf(&HERE)?;
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    issue(directory, "expired", expired, &ours)
}

/// A CA, which another one has signed or it itself.
fn authority(directory: &Path, name: &str, above: Option<&Ca>) -> Outcome<Ca> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate()?;
    let ca = match above {
        Some(above) => CertifiedIssuer::signed_by(params, key, above)?,
        None => CertifiedIssuer::self_signed(params, key)?,
    };
    fs::write(directory.join(format!("{name}.pem")), ca.pem())?;
    Ok(ca)
}

fn leaf(names: &[&str]) -> Outcome<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn issue(directory: &Path, name: &str, params: CertificateParams, ca: &Ca) -> Outcome<()> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, ca)?;
    fs::write(directory.join(format!("{name}.pem")), certificate.pem())?;
    fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
    Ok(())
}
