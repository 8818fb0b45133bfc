//! The tables as the program has them: the names in one text, what rows say in another where each stands once, the
//! rules behind one another, and those that need no slot apart. Rows as the source has them take four times as much
//! on 64 bits, where a name alone is 16 bytes before its text.

#[cfg(feature = "reference")]
use super::Reference;
use super::{Block, Form, Keyword, Opt, Rule, Skip, TABLES};

/// What there is in the first so many blocks.
struct Sizes {
    words: usize,
    /// Of the names.
    bytes: usize,
    /// Words whose rule is a [`Small`] one.
    small: usize,
}

const fn sizes(blocks: usize) -> Sizes {
    let (mut words, mut bytes, mut small, mut block) = (0, 0, 0, 0);
    while block < blocks {
        let table = TABLES[block].words;
        let mut index = 0;
        while index < table.len() {
            bytes += table[index].name.len();
            if Small::of(table[index].rule).is_some() {
                small += 1;
            }
            index += 1;
        }
        words += table.len();
        block += 1;
    }
    Sizes {
        words,
        bytes,
        small,
    }
}

const BLOCKS: usize = TABLES.len();
const WORDS: usize = sizes(BLOCKS).words;
const BYTES: usize = sizes(BLOCKS).bytes;
const SMALL: usize = sizes(BLOCKS).small;

/// A rule without a slot, in 4 bytes; two thirds of all are. A [`Rule`] has 16.
#[derive(Clone, Copy)]
enum Small {
    Option(Opt),
    Skipped(Skip, Form),
    SkippedWords(Block, Form),
}

impl Small {
    const fn of(rule: Rule) -> Option<Self> {
        match rule {
            Rule::Option { is } => Some(Self::Option(is)),
            Rule::Skipped { why, takes } => Some(Self::Skipped(why, takes)),
            Rule::SkippedWords { words, takes } => Some(Self::SkippedWords(words, takes)),
            _ => None,
        }
    }

    fn rule(self) -> Rule {
        match self {
            Self::Option(is) => Rule::Option { is },
            Self::Skipped(why, takes) => Rule::Skipped { why, takes },
            Self::SkippedWords(words, takes) => Rule::SkippedWords { words, takes },
        }
    }
}

const _: () = assert!(size_of::<Small>() == 4);

/// What the rows say, each text once, and which of these each row says.
struct Said {
    texts: [&'static str; WORDS],
    count: usize,
    bytes: usize,
    of: [u8; WORDS],
}

const SAID: Said = {
    let mut said = Said {
        texts: [""; WORDS],
        count: 0,
        bytes: 0,
        of: [0; WORDS],
    };
    let (mut block, mut place) = (0, 0);
    while block < BLOCKS {
        let mut index = 0;
        while index < TABLES[block].words.len() {
            let text = TABLES[block].words[index].text;
            let mut known = 0;
            while known < said.count && !same(said.texts[known], text) {
                known += 1;
            }
            if known == said.count {
                said.texts[known] = text;
                said.bytes += text.len();
                said.count += 1;
            }
            assert!(known < 256, "the number of a text is one byte");
            said.of[place] = known as u8;
            (index, place) = (index + 1, place + 1);
        }
        block += 1;
    }
    said
};

const fn same(one: &str, other: &str) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// The texts behind one another, and where each ends.
struct Texts {
    bytes: [u8; SAID.bytes],
    ends: [u16; SAID.count],
}

static TEXTS: Texts = {
    let mut texts = Texts {
        bytes: [0; SAID.bytes],
        ends: [0; SAID.count],
    };
    let (mut index, mut end) = (0, 0);
    while index < SAID.count {
        end = append(&mut texts.bytes, end, SAID.texts[index]);
        texts.ends[index] = end as u16;
        index += 1;
    }
    assert!(end <= u16::MAX as usize);
    texts
};

/// Writes a text behind the first `end` bytes; where it ends itself.
const fn append(bytes: &mut [u8], end: usize, text: &str) -> usize {
    let (_, rest) = bytes.split_at_mut(end);
    let (place, _) = rest.split_at_mut(text.len());
    place.copy_from_slice(text.as_bytes());
    end + text.len()
}

static SAYS: &str = match core::str::from_utf8(&TEXTS.bytes) {
    Ok(texts) => texts,
    Err(_) => panic!(),
};

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

/// Where the words, the names and the small rules of each block begin.
static BEGINS: [[u16; 3]; BLOCKS + 1] = {
    let mut begins = [[0; 3]; BLOCKS + 1];
    let mut block = 0;
    while block <= BLOCKS {
        let before = sizes(block);
        begins[block] = [
            before.words as u16,
            before.bytes as u16,
            before.small as u16,
        ];
        block += 1;
    }
    begins
};

/// The rows, taken apart.
struct Rows {
    names: [u8; BYTES],
    /// Of the names; with [`IS_SMALL`] if the rule is a small one.
    lengths: [u8; WORDS],
    rules: [Rule; WORDS - SMALL],
    small: [Small; SMALL],
    says: [u8; WORDS],
    #[cfg(feature = "reference")]
    references: [Reference; WORDS],
}

const IS_SMALL: u8 = 0x80;

static ROWS: Rows = {
    let first = TABLES[0].words[0];
    let mut rows = Rows {
        names: [0; BYTES],
        lengths: [0; WORDS],
        rules: [first.rule; WORDS - SMALL],
        small: [Small::Option(Opt::Word); SMALL],
        says: SAID.of,
        #[cfg(feature = "reference")]
        references: [first.reference; WORDS],
    };
    let (mut block, mut place, mut end, mut small) = (0, 0, 0, 0);
    while block < BLOCKS {
        let mut index = 0;
        while index < TABLES[block].words.len() {
            let word = TABLES[block].words[index];
            end = append(&mut rows.names, end, word.name);
            assert!(word.name.len() < IS_SMALL as usize);
            rows.lengths[place] = word.name.len() as u8;
            if let Some(rule) = Small::of(word.rule) {
                rows.lengths[place] |= IS_SMALL;
                rows.small[small] = rule;
                small += 1;
            } else {
                rows.rules[place - small] = word.rule;
            }
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
    /// How many small rules stand before it.
    small: usize,
}

impl Block {
    /// The words that may stand in it.
    pub(crate) fn words(self) -> Words {
        let [next, name, small] = BEGINS[self as usize];
        let [end, ..] = BEGINS[self as usize + 1];
        Words {
            next: next.into(),
            end: end.into(),
            name: name.into(),
            small: small.into(),
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
        let length = ROWS.lengths[place];
        self.name += usize::from(length & !IS_SMALL);
        let rule = if length & IS_SMALL == 0 {
            ROWS.rules[place - self.small]
        } else {
            self.small += 1;
            ROWS.small[self.small - 1].rule()
        };
        let text = usize::from(ROWS.says[place]);
        let start = text.checked_sub(1).map_or(0, |before| TEXTS.ends[before]);
        Some(Keyword {
            name: NAMES.get(begin..self.name)?,
            rule,
            text: SAYS.get(start.into()..TEXTS.ends[text].into())?,
            #[cfg(feature = "reference")]
            reference: ROWS.references[place],
        })
    }
}
