//! Snappy as Java's `SnappyOutputStream` frames it: a magic, two versions, then blocks with their lengths.

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEADER: usize = 16;
/// Input bytes a block.
const BLOCK: usize = 32 << 10;

pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Result<(), String> {
    output.extend_from_slice(MAGIC);
    output.extend_from_slice(&1u32.to_be_bytes());
    output.extend_from_slice(&1u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK) {
        let start = output.len() + 4;
        output.resize(start + snap::raw::max_compress_len(block.len()), 0);
        let length = encoder.compress(block, &mut output[start..]).map_err(|e| e.to_string())?;
        output[start - 4..start].copy_from_slice(&(length as u32).to_be_bytes());
        output.truncate(start + length);
    }
    Ok(())
}

/// Framed, or one raw block as some clients write it.
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Option<Vec<u8>>, String> {
    let mut output = Vec::new();
    if input.len() < HEADER || !input.starts_with(MAGIC) {
        return Ok(block(input, limit, &mut output)?.then_some(output));
    }
    let mut rest = &input[HEADER..];
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let compressed =
            behind.get(..length).ok_or_else(|| format!("a block of {length} bytes, {} left", behind.len()))?;
        if !block(compressed, limit, &mut output)? {
            return Ok(None);
        }
        rest = &behind[length..];
    }
    if rest.is_empty() { Ok(Some(output)) } else { Err("bytes are left behind the last block".to_owned()) }
}

/// Appends one block; `false` if that would pass the limit.
fn block(compressed: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<bool, String> {
    let length = snap::raw::decompress_len(compressed).map_err(|e| e.to_string())?;
    if length > limit - output.len() {
        return Ok(false);
    }
    // No codec of this kind makes more than 64 bytes of 3 (a copy); a header that says so lies.
    if length / 32 > compressed.len() {
        return Err(format!("{} bytes cannot hold {length}", compressed.len()));
    }
    let start = output.len();
    output.resize(start + length, 0);
    snap::raw::Decoder::new().decompress(compressed, &mut output[start..]).map_err(|e| e.to_string())?;
    Ok(true)
}
