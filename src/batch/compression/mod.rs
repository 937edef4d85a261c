//! Kafka's codecs, one file for each that needs more than its crate's own reader and writer. None needs C.

mod snappy;

use std::{
    io::{Read, Write},
    str::FromStr,
};

use super::BatchError;

/// How a producer compresses batches (`compression.type`, and KIP-390's `compression.gzip.level`, `compression.zstd.level`
/// and `compression.lz4.level`).
///
/// The settings take the levels that Java's producer takes. Those that a codec here lacks become the nearest that it has:
/// see each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip, level 1 to 9. [`Compression::GZIP`] is level 4: level 1 loses a fifth of the ratio, 6 takes twice the time.
    /// `compression.gzip.level=-1` is zlib's default, 6, which Java takes where none is set.
    Gzip(u32),
    /// Snappy, in the framing of Java's reader.
    Snappy,
    /// LZ4 frames of independent blocks. It has one level, the fast one: `compression.lz4.level` (1 to 17) is checked and
    /// changes nothing.
    Lz4,
    /// Zstandard, level −7 to 4; 0 is the default. [`Compression::ZSTD`] is level 3, Kafka's default.
    /// Of `compression.zstd.level` (−131072 to 22) what is above 4 compresses as 4 does, and what is below −7 as −7.
    Zstd(i32),
}

impl Compression {
    /// Gzip at its default level.
    pub const GZIP: Compression = Compression::Gzip(4);
    /// Zstandard at its default level.
    pub const ZSTD: Compression = Compression::Zstd(3);

    /// The codec's number in a batch's attributes.
    pub(super) fn code(self) -> i16 {
        match self {
            Compression::None => 0,
            Compression::Gzip(_) => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd(_) => 4,
        }
    }

    /// `input` compressed, behind `room` zero bytes, in `output`, whose content is replaced.
    pub(super) fn compress_behind(self, room: usize, input: &[u8], mut output: Vec<u8>) -> Result<Vec<u8>, BatchError> {
        output.clear();
        output.reserve(room + input.len() / 2 + 64);
        output.resize(room, 0);
        match self {
            Compression::None => output.extend_from_slice(input),
            Compression::Gzip(level) => {
                let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::new(level.clamp(1, 9)));
                encoder.write_all(input).map_err(|e| failed("gzip", e))?;
                output = encoder.finish().map_err(|e| failed("gzip", e))?;
            }
            Compression::Snappy => snappy::compress(input, &mut output).map_err(|e| failed("snappy", e))?,
            Compression::Lz4 => {
                use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
                // Java's reader takes independent blocks only, and no content checksum.
                let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
                let mut encoder = FrameEncoder::with_frame_info(info, output);
                encoder.write_all(input).map_err(|e| failed("lz4", e))?;
                output = encoder.finish().map_err(|e| failed("lz4", e))?;
            }
            Compression::Zstd(level) => {
                // To the crate 0 is another default than zstd's.
                let level = if level == 0 { 3 } else { level.clamp(-7, 4) };
                let compressed = zrip::compress(input, level).map_err(|e| failed("zstd", e))?;
                output.extend_from_slice(&compressed);
            }
        }
        Ok(output)
    }
}

/// What a batch of codec number `code` holds, decompressed: at most `limit` bytes, else `Ok(None)`.
pub(super) fn decompress(code: i16, input: &[u8], limit: usize) -> Result<Option<Vec<u8>>, BatchError> {
    match code {
        1 => read_capped("gzip", flate2::read::MultiGzDecoder::new(input), limit),
        2 => snappy::decompress(input, limit).map_err(|e| failed("snappy", e)),
        3 => read_capped("lz4", lz4_flex::frame::FrameDecoder::new(input), limit),
        4 => read_capped("zstd", zrip::FrameDecoder::new(input), limit),
        _ => Err(BatchError::Codec { codec: "unknown codec", why: format!("number {code}; 0 to 4 are known") }),
    }
}

fn read_capped(codec: &'static str, reader: impl Read, limit: usize) -> Result<Option<Vec<u8>>, BatchError> {
    let mut output = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut output).map_err(|e| failed(codec, e))?;
    Ok((output.len() <= limit).then_some(output))
}

fn failed(codec: &'static str, why: impl std::fmt::Display) -> BatchError {
    BatchError::Codec { codec, why: why.to_string() }
}

impl FromStr for Compression {
    type Err = String;

    /// From `compression.type`'s values. The error says which are allowed.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Compression::None),
            "gzip" => Ok(Compression::GZIP),
            "snappy" => Ok(Compression::Snappy),
            "lz4" => Ok(Compression::Lz4),
            "zstd" => Ok(Compression::ZSTD),
            _ => Err("one of none, gzip, snappy, lz4, zstd is allowed".to_owned()),
        }
    }
}
