//! Squeezing the zero bytes out of messages, and putting them back.
//!
//! Separate from encoding because it works on any bytes and knows nothing of schemas. Bytes go in
//! groups of eight: a header byte tells which of them are not zero, and those follow. After a
//! group without zeros comes a count of groups that follow as they are, so that dense data grows
//! by two bytes in 2048 at most. The packed form does not say how long it is.

/// Groups that one run can hold: its count is a byte.
const LONGEST_RUN: usize = 255;
/// Non-zero bytes from which on a group is worth keeping as it is.
const DENSE: u32 = 6;

/// There is no memory for the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Why bytes could not be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackError {
    /// A run claims more groups than there are bytes for.
    Malformed,
    /// There is no memory for the output.
    Memory,
}

/// The most bytes that `len` bytes can become.
pub fn pack_bound(len: usize) -> usize {
    len.saturating_add(1).saturating_add(2 * len.div_ceil(8 * (LONGEST_RUN + 1)))
}

/// Appends the packed form of `input` to `out`.
pub fn pack(input: &[u8], out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
    // Groups are written whole and then cut, hence the slack of one group.
    let room = pack_bound(input.len()).saturating_add(8);
    out.try_reserve(room).map_err(|_| OutOfMemory)?;
    let mut rest = input;
    while !rest.is_empty() {
        let (group, _) = first_group(rest);
        rest = skip(rest, 8);
        let mask = nonzero(group);
        out.push(mask);
        if mask != 0xff {
            let (squeezed, kept) = squeeze(group);
            out.extend_from_slice(&squeezed.to_le_bytes());
            out.truncate(out.len() - 8 + kept);
            continue;
        }
        out.extend_from_slice(&group.to_le_bytes());
        if rest.is_empty() {
            break;
        }
        let run = dense_run(rest);
        out.push(run as u8);
        let (raw, after) = rest.split_at(rest.len().min(8 * run));
        out.extend_from_slice(raw);
        rest = after;
    }
    Ok(())
}

/// Appends what `input` was packed from to `out`, padded with zeros to a multiple of eight.
///
/// Little is checked, as the format has little to check: input that is cut short reads as zeros.
pub fn unpack(input: &[u8], out: &mut Vec<u8>) -> Result<(), UnpackError> {
    // Measured first: growing in steps would take up to twice the room, and the worst case of
    // eightfold growth is rare.
    let len = unpacked_len(input).ok_or(UnpackError::Malformed)?;
    out.try_reserve_exact(len).map_err(|_| UnpackError::Memory)?;
    let start = out.len();
    out.resize(start + len, 0);
    // The length is a multiple of eight, and every group has its place.
    let (mut groups, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<8>();
    let mut rest = input;
    while let Some((&mask, after)) = rest.split_first() {
        let present = mask.count_ones() as usize;
        let (group, had) = first_group(after);
        rest = skip(after, present);
        let Some((place, others)) = groups.split_first_mut() else {
            break;
        };
        *place = spread(group, mask);
        groups = others;
        if mask != 0xff || had < 8 {
            continue;
        }
        let Some((&run, after)) = rest.split_first() else {
            break;
        };
        let run = usize::from(run).min(groups.len());
        let (raw, after) = after.split_at(after.len().min(8 * run));
        let (places, others) = std::mem::take(&mut groups).split_at_mut(run);
        copy(raw, places.as_flattened_mut());
        groups = others;
        rest = after;
    }
    Ok(())
}

/// The length of the output of [`unpack`], `None` if a run claims more than there is.
fn unpacked_len(input: &[u8]) -> Option<usize> {
    let mut rest = input;
    let mut len = 0usize;
    while let Some((&mask, after)) = rest.split_first() {
        len = len.checked_add(8)?;
        let present = mask.count_ones() as usize;
        rest = skip(after, present);
        if mask != 0xff || after.len() < 8 {
            continue;
        }
        let Some((&run, after)) = rest.split_first() else {
            break;
        };
        // A count with nothing behind it is ignored.
        if after.is_empty() {
            break;
        }
        let run = usize::from(run);
        // The last group of a run may be short, or missing altogether.
        if run.saturating_sub(1) * 8 > after.len() {
            return None;
        }
        len = len.checked_add(8 * run)?;
        rest = skip(after, 8 * run);
    }
    Some(len)
}

/// The next eight bytes as a number, lowest first, with zeros for missing ones; and how many there
/// were.
#[inline]
fn first_group(rest: &[u8]) -> (u64, usize) {
    if let Some((group, _)) = rest.split_first_chunk::<8>() {
        return (u64::from_le_bytes(*group), 8);
    }
    let mut group = [0; 8];
    copy(rest, &mut group);
    (u64::from_le_bytes(group), rest.len())
}

/// What follows so many bytes, if there are so many.
#[inline]
fn skip(bytes: &[u8], count: usize) -> &[u8] {
    bytes.split_at(count.min(bytes.len())).1
}

/// Copies as many bytes as there are, or as fit.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    for (place, byte) in to.iter_mut().zip(from) {
        *place = *byte;
    }
}

/// The high bit of each byte of `group` that is not zero.
#[inline]
fn marks(group: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // Adding 0x7f carries into the high bit from any of the low seven, and never beyond.
    (((group & LOW) + LOW) | group) & !LOW
}

/// The marks gathered into a byte, lowest first.
#[inline]
fn nonzero(group: u64) -> u8 {
    // Each mark is moved to a bit of its own in the highest byte.
    ((marks(group) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The bytes of `group` that are not zero, moved together, and how many they are.
#[inline]
fn squeeze(group: u64) -> (u64, usize) {
    let mut squeezed = 0;
    let mut shift = 0;
    // Without branches: where the zeros are is not predictable.
    for byte in group.to_le_bytes() {
        squeezed |= u64::from(byte) << (shift & 63);
        shift += u32::from(byte != 0) * 8;
    }
    (squeezed, shift as usize / 8)
}

/// For each mask, where each of eight bytes comes from: the first, second, … of those present, or
/// the zero behind them all. Shifting bytes into place one by one takes twice as long.
const ORIGINS: [[u8; 8]; 256] = {
    let mut origins = [[8; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut present = 0;
        let mut at = 0;
        while at < 8 {
            if mask >> at & 1 == 1 {
                #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
                {
                    origins[mask][at] = present;
                }
                present += 1;
            }
            at += 1;
        }
        mask += 1;
    }
    origins
};

/// The inverse of [`squeeze`]: the lowest bytes of `group` at the places that `mask` tells.
#[inline]
#[expect(clippy::indexing_slicing, reason = "256 and 16 places, and no larger indices")]
fn spread(group: u64, mask: u8) -> [u8; 8] {
    let bytes = u128::from(group).to_le_bytes();
    // The remainder changes nothing; it only shows that there is nothing to check.
    ORIGINS[usize::from(mask)].map(|origin| bytes[usize::from(origin % 16)])
}

/// How many of the groups at the start of `rest` are worth keeping as they are.
fn dense_run(rest: &[u8]) -> usize {
    rest.chunks(8)
        .take(LONGEST_RUN)
        .take_while(|chunk| marks(first_group(chunk).0).count_ones() >= DENSE)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_survives() {
        for mask in 0..=255u8 {
            let group: Vec<u8> =
                (0..8).map(|i| if mask >> i & 1 == 1 { i + 1 } else { 0 }).collect();
            let group = u64::from_le_bytes(group.try_into().unwrap());
            assert_eq!(nonzero(group), mask);
            let (squeezed, kept) = squeeze(group);
            assert_eq!(kept as u32, mask.count_ones());
            assert_eq!(spread(squeezed, mask), group.to_le_bytes());
        }
    }

    #[test]
    fn high_bits_and_low_bits_are_not_zero() {
        assert_eq!(nonzero(0x8000_0100_0080_0001), 0b1010_0101);
    }

    #[test]
    fn nothing_stays_nothing() {
        let mut out = Vec::new();
        pack(&[], &mut out).unwrap();
        unpack(&[], &mut out).unwrap();
        assert!(out.is_empty());
    }
}
