/// CRC-32C (Castagnoli), by the processor's own instructions where it has them.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_castagnoli() {
        // The check value of RFC 3720's polynomial.
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
