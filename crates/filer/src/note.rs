//! What a directory says about one of the files in it.

use crate::entry::Entry;

/// What a directory's entry says about one of the files in it, so that one look-up tells as much as a listing.
///
/// Because a filer chooses the file while it holds the lock, transactions that add or remove files leave the same
/// note in any order. A directory that has no entry of its own gets one if there is something to note. If it does not
/// exist at all, nothing happens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Note {
    /// Where the directory is.
    pub directory: String,
    /// The directory's name.
    pub name: String,
    /// Choose the file that is last by name instead of the first one.
    pub last: bool,
    /// A file that is not chosen, because a later step removes it.
    pub except: Option<String>,
    /// The attribute of the directory that gets the file's name. If there is no file, it is removed, as are the others.
    pub name_to: String,
    /// The attribute that gets its size in bytes.
    pub size_to: String,
    /// The attribute that gets its modification time, in seconds since 1970.
    pub mtime_to: String,
    /// Attributes of the directory that are copied from the file: its own name for each, and the file's. What the file
    /// does not have is removed from the directory.
    pub copied: Vec<(&'static str, &'static str)>,
    /// An attribute, with its value, for the file that was noted before, if another one is noted now.
    pub displaced: Option<(String, Vec<u8>)>,
}

impl Note {
    /// Writes what is noted about the chosen file on the directory. Returns the name of the file noted before.
    pub fn write(&self, chosen: Option<&Entry>, directory: &mut Entry) -> Option<String> {
        let before = directory.extended_text(&self.name_to).map(str::to_owned);
        let number = |number: i128| number.to_string().into_bytes();
        let own = [
            (&*self.name_to, chosen.map(|chosen| chosen.name.clone().into_bytes())),
            (&*self.size_to, chosen.map(|chosen| number(chosen.attributes().file_size.into()))),
            (&*self.mtime_to, chosen.map(|chosen| number(chosen.attributes().mtime.into()))),
        ];
        let of_chosen = |from| chosen.and_then(|chosen| chosen.extended.get(from)).cloned();
        let copied = self.copied.iter().map(|(to, from)| (*to, of_chosen(*from)));
        for (attribute, value) in copied.chain(own).filter(|(attribute, _)| !attribute.is_empty()) {
            match value {
                Some(value) => drop(directory.extended.insert(attribute.to_owned(), value)),
                None => drop(directory.extended.remove(attribute)),
            }
        }
        before
    }
}
