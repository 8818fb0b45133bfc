//! The tables as the program has them: the names in one text, the rules behind one another. Rows as the source
//! has them take more than twice as much on 64 bits, where a name alone is 16 bytes before its text.

#[cfg(feature = "reference")]
use super::Reference;
use super::{Block, Keyword, Rule, TABLES};

/// How many words and how many bytes of names there are in the first so many blocks.
const fn sizes(blocks: usize) -> (usize, usize) {
    let (mut words, mut bytes, mut block) = (0, 0, 0);
    while block < blocks {
        let table = TABLES[block].words;
        let mut index = 0;
        while index < table.len() {
            bytes += table[index].name.len();
            index += 1;
        }
        words += table.len();
        block += 1;
    }
    (words, bytes)
}

const BLOCKS: usize = TABLES.len();
const WORDS: usize = sizes(BLOCKS).0;
const BYTES: usize = sizes(BLOCKS).1;

/// All blocks.
pub(super) static ALL: [Block; BLOCKS] = {
    let mut all = [Block::Top; BLOCKS];
    let mut block = 0;
    while block < BLOCKS {
        all[block] = TABLES[block].block;
        assert!(all[block] as usize == block, "a table stands at its place");
        block += 1;
    }
    all
};

/// Where the words and the names of each block begin.
static BEGINS: [(u16, u16); BLOCKS + 1] = {
    let mut begins = [(0, 0); BLOCKS + 1];
    let mut block = 0;
    while block <= BLOCKS {
        let (words, bytes) = sizes(block);
        begins[block] = (words as u16, bytes as u16);
        block += 1;
    }
    begins
};

/// The rows, taken apart.
struct Rows {
    names: [u8; BYTES],
    lengths: [u8; WORDS],
    rules: [Rule; WORDS],
    #[cfg(feature = "reference")]
    references: [Reference; WORDS],
}

static ROWS: Rows = {
    let first = TABLES[0].words[0];
    let mut rows = Rows {
        names: [0; BYTES],
        lengths: [0; WORDS],
        rules: [first.rule; WORDS],
        #[cfg(feature = "reference")]
        references: [first.reference; WORDS],
    };
    let (mut block, mut place, mut end) = (0, 0, 0);
    while block < BLOCKS {
        let mut index = 0;
        while index < TABLES[block].words.len() {
            let word = TABLES[block].words[index];
            let (_, rest) = rows.names.split_at_mut(end);
            let (name, _) = rest.split_at_mut(word.name.len());
            name.copy_from_slice(word.name.as_bytes());
            end += word.name.len();
            rows.lengths[place] = word.name.len() as u8;
            rows.rules[place] = word.rule;
            #[cfg(feature = "reference")]
            {
                rows.references[place] = word.reference;
            }
            (index, place) = (index + 1, place + 1);
        }
        block += 1;
    }
    rows
};

static NAMES: &str = match core::str::from_utf8(&ROWS.names) {
    Ok(names) => names,
    Err(_) => panic!(),
};

/// The words of a block, in the order of the reference.
pub(crate) struct Words {
    next: usize,
    end: usize,
    /// Where the name of the next one begins.
    name: usize,
}

impl Block {
    /// The words that may stand in it.
    pub(crate) fn words(self) -> Words {
        let (next, name) = BEGINS[self as usize];
        let (end, _) = BEGINS[self as usize + 1];
        Words {
            next: next.into(),
            end: end.into(),
            name: name.into(),
        }
    }
}

impl Iterator for Words {
    type Item = Keyword;

    fn next(&mut self) -> Option<Keyword> {
        if self.next == self.end {
            return None;
        }
        let (place, begin) = (self.next, self.name);
        self.next += 1;
        self.name += usize::from(ROWS.lengths[place]);
        Some(Keyword {
            name: NAMES.get(begin..self.name)?,
            rule: ROWS.rules[place],
            #[cfg(feature = "reference")]
            reference: ROWS.references[place],
        })
    }
}
