/// What is wrong with the bytes of a record batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes do not follow the format.
    #[error("malformed record batch at offset {offset}: {why}")]
    Malformed {
        /// The batch's base offset, as far as it could be read.
        offset: i64,
        /// Which field, and what was found.
        why: String,
    },
    /// The checksum does not fit the bytes.
    #[error("record batch at offset {offset} has checksum {found:#010x} where its header says {stated:#010x}")]
    Checksum {
        /// The batch's base offset.
        offset: i64,
        /// In the header.
        stated: u32,
        /// Of the bytes.
        found: u32,
    },
    /// The message format of Kafka before 0.11, which brokers since 4.0 no longer keep.
    #[error("record batch at offset {offset} has the format version {magic}; only version 2 is read")]
    OldFormat {
        /// The batch's base offset.
        offset: i64,
        /// The format's version.
        magic: i8,
    },
    /// Decompressed, the batch is larger than allowed.
    #[error("record batch at offset {offset} measures more than {limit} bytes when decompressed")]
    TooLarge {
        /// The batch's base offset.
        offset: i64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The compression codec failed.
    #[error("{codec}: {why}")]
    Codec {
        /// The codec's name.
        codec: &'static str,
        /// What it said.
        why: String,
    },
}
