//! Packing: anything can be unpacked or refused, within eight times its length; and what was packed
//! comes back.

use silly_cluster::zproto::{pack, pack_bound, unpack};

use crate::counting::allocated;

/// The input is packed bytes, and bytes to be packed.
pub fn check(input: &[u8]) {
    if let Some(unpacked) = survive_unpacking(input) {
        round_trip(&unpacked);
    }
    round_trip(input);
}

/// Unpacks what may be anything.
pub fn survive_unpacking(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (memory, unpacked) = allocated(|| unpack(bytes, &mut out));
    assert!(memory <= 8 * bytes.len(), "{memory} for {} bytes", bytes.len());
    assert!(out.len() <= 8 * bytes.len() && out.len() % 8 == 0);
    assert!(unpacked.is_ok() || out.is_empty());
    unpacked.ok().map(|()| out)
}

/// Packs bytes and unpacks them again, both behind what is there already.
pub fn round_trip(bytes: &[u8]) {
    let mut packed = b"kept".to_vec();
    pack(bytes, &mut packed).unwrap();
    let (kept, packed) = packed.split_at(4);
    assert!(packed.len() <= pack_bound(bytes.len()));
    let mut unpacked = kept.to_vec();
    unpack(packed, &mut unpacked).unwrap();
    let (back, padding) = unpacked[4..].split_at(bytes.len());
    assert_eq!((kept, &unpacked[..4], back), (&b"kept"[..], &b"kept"[..], bytes));
    assert!(padding.len() < 8 && padding.iter().all(|&byte| byte == 0));
}
