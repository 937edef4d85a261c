//! What goes to stdout: aligned tables for people, JSON for machines.

use std::{
    error::Error,
    io::{self, Write},
};

/// Writes all of `text`, and a newline.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// A line for the heads and one for each row, without a last newline. A column of numbers only is set to the right.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let length = |text: &str| text.chars().count();
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| length(&row[column])).chain([length(heads[column])]).max().unwrap_or(0)
    });
    let numbers: [bool; N] = std::array::from_fn(|column| {
        rows.iter().all(|row| !row[column].is_empty() && row[column].chars().all(|c| c.is_ascii_digit() || c == '-'))
    });
    let line = |cells: [&str; N]| {
        let padded: [String; N] = std::array::from_fn(|column| match numbers[column] {
            true => format!("{:>width$}", cells[column], width = widths[column]),
            false => format!("{:<width$}", cells[column], width = widths[column]),
        });
        padded.join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    [line(heads)].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// What failed, a line each; the rest is done.
pub(crate) fn failed(errors: Vec<String>) -> Result<(), Box<dyn Error>> {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors.join("\nmilena: ").into()),
    }
}

/// A bar on stderr, where that is a terminal; without a length where that is not known, which is 0.
pub(crate) fn progress(length: u64) -> indicatif::ProgressBar {
    match length {
        0 => indicatif::ProgressBar::new_spinner(),
        length => indicatif::ProgressBar::new(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_set_to_the_right() {
        let rows = [["a", "3"], ["longer", "12"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["TOPIC", "N"], &rows), "TOPIC    N\na        3\nlonger  12");
    }

    #[test]
    fn a_table_without_rows_is_its_heads() {
        assert_eq!(table(["TOPIC", "N"], &[]), "TOPIC  N");
    }
}
