//! The memory mappings of this process, as `/proc/self/maps` lists them. Allocates nothing, because a signal handler uses it.

/// The kind of the mapping at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// A page of the index of a write-ahead log.
    SharedIndex,
    /// Private memory without a file.
    Anonymous,
    Other,
}

/// Returns the kind of the mapping in a line of `/proc/self/maps`, if it contains the address.
///
/// A line has the form `start-end permissions offset device inode path`.
pub(crate) fn classify(line: &[u8], address: usize) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let mut range = fields.next()?.split(|byte| *byte == b'-');
    let (start, end) = (parse_hex(range.next()?)?, parse_hex(range.next()?)?);
    if address < start || address >= end {
        return None;
    }
    let permissions = fields.next()?;
    let path = fields.nth(3);
    Some(match (permissions, path) {
        ([_, b'w', _, b's', ..], Some(_)) if line.ends_with(b"-shm") || line.ends_with(b"-shm (deleted)") => {
            Mapping::SharedIndex
        }
        ([_, b'w', _, b'p', ..], None) => Mapping::Anonymous,
        _ => Mapping::Other,
    })
}

fn parse_hex(digits: &[u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as usize);
    digits.iter().try_fold(0usize, |value, byte| value.checked_mul(16)?.checked_add(digit(*byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_is_classified_by_its_permissions_and_path() {
        let at = |line: &str, address| classify(line.as_bytes(), address);
        let index = "7f10a000-7f112000 rw-s 00000000 fe:00 131 /data/my lists.db-shm";
        assert_eq!(at(index, 0x7f10_a000), Some(Mapping::SharedIndex));
        assert_eq!(at(index, 0x7f11_1fff), Some(Mapping::SharedIndex));
        assert_eq!(at(index, 0x7f11_2000), None);
        assert_eq!(at(index, 0x7f10_9fff), None);
        let deleted = "1000-2000 rw-s 00000000 fe:00 131 /data/lists.db-shm (deleted)";
        assert_eq!(at(deleted, 0x1000), Some(Mapping::SharedIndex));
        assert_eq!(at("1000-2000 rw-p 00000000 00:00 0 ", 0x1800), Some(Mapping::Anonymous));
        for other in [
            "1000-2000 r--s 00000000 fe:00 131 /data/lists.db-shm",
            "1000-2000 rw-p 00000000 fe:00 131 /data/lists.db-shm",
            "1000-2000 rw-s 00000000 fe:00 131 /data/lists.db",
            "1000-2000 r-xp 00000000 fe:00 131 /usr/bin/bucketlist",
            "1000-2000 rw-p 00000000 00:00 0 [heap]",
        ] {
            assert_eq!(at(other, 0x1000), Some(Mapping::Other), "{other}");
        }
        for malformed in ["", "1000", "1000-", "x-y rw-s", "1000-2000"] {
            assert_eq!(at(malformed, 0x1000), None, "{malformed}");
        }
    }
}
