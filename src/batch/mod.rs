//! stub
#![allow(missing_docs)]
#[derive(Debug, Clone, Copy)]
pub enum Compression {
    None,
}
#[derive(Debug)]
pub struct SealedBatch(Vec<u8>);
impl SealedBatch {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    pub fn stamp(&mut self, _: i64, _: i16, _: i32, _: bool) {}
}
pub struct BatchBuilder(Vec<u8>);
impl BatchBuilder {
    pub fn new(v: Vec<u8>) -> Self {
        Self(v)
    }
    pub fn append(&mut self, _: i64, _: Option<&[u8]>, v: Option<&[u8]>, _: &[crate::model::Header<'_>]) -> u32 {
        self.0.extend_from_slice(v.unwrap());
        0
    }
    pub fn seal(self, _: Compression) -> Result<SealedBatch, ()> {
        Ok(SealedBatch(self.0))
    }
}
