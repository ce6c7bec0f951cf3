/**
 * The server claims the unique keys of a row when the row is inserted, and moves no claim when it is updated: a key that was given up stays
 * taken, and two transactions can give one key to two rows (seen with 0.5.3-beta.196; the server from PyPI is right). These replacements in
 * its source claim what an update adds and release what it takes away. Each `find` must occur exactly once. The store is GPL-2.0-only and
 * so are these lines; nothing of Soko is linked with it.
 */
export const RUST_STORE_PATCH = {
  package: 'secantus-storage',
  file: 'src/lib.rs',
  edits: [
    {
      find: 'self.index_entry_diff(&old_doc, &doc, &descs, recordid)?;',
      replace: 'self.claimed_entry_diff(&session, db, coll, &old_doc, &doc, &descs, recordid)?;',
    },
    {
      find: 'let (additions, removals) = self.index_entry_diff(&doc, &new, &descs, recordid)?;',
      replace: 'let (additions, removals) = self.claimed_entry_diff(session, db, coll, &doc, &new, &descs, recordid)?;',
    },
    {
      find: '                            self.index_entry_diff(&doc, &new, &descs, recordid)?;',
      replace: '                            self.claimed_entry_diff(&session, db, coll, &doc, &new, &descs, recordid)?;',
    },
    {
      find: '    fn insert_index_entries(\n',
      replace: `    /// The entry diff of an update, with the unique claims moved along in the same transaction.
    #[allow(clippy::too_many_arguments)]
    fn claimed_entry_diff(
        &self,
        session: &Session,
        db: &str,
        coll: &str,
        old_doc: &Document,
        new_doc: &Document,
        descs: &[IndexDesc],
        recordid: i64,
    ) -> Result<(EntryOps, EntryOps)> {
        let (additions, removals) = self.index_entry_diff(old_doc, new_doc, descs, recordid)?;
        let unique = |name: &str| {
            descs
                .iter()
                .find(|d| d.name == name && d.name != "_id_" && (d.unique || d.prepare_unique))
        };
        if !additions.iter().chain(&removals).any(|(name, _)| unique(name).is_some()) {
            return Ok((additions, removals));
        }
        let claims = session.open_cursor(UNIQ_TABLE, Some("overwrite=false"))?;
        let held = session.open_cursor(UNIQ_TABLE, None)?;
        let owner_of = |name: &str, esc: &[u8]| -> Result<Option<i64>> {
            held.reset()?;
            held.set_key_sssu(db, &key_coll(db, coll), name, esc);
            match held.search() {
                Ok(()) => Ok(Some(held.get_value_q()?)),
                Err(e) if e.is_not_found() => Ok(None),
                Err(e) => Err(e.into()),
            }
        };
        for (name, packed) in &additions {
            let Some(desc) = unique(name) else { continue };
            let (esc, _) = unpack_entry(packed);
            claims.reset()?;
            claims.set_key_sssu(db, &key_coll(db, coll), name, esc);
            claims.set_value_q(recordid);
            match claims.insert() {
                Ok(()) => {}
                Err(e) if e.is_duplicate_key() => {
                    if owner_of(name, esc)? == Some(recordid) {
                        continue;
                    }
                    let ns = format!("{db}.{coll}");
                    let conflict =
                        UniqueConflict::new(ns, name, &desc.key_spec, new_doc, esc, desc.collation.as_ref());
                    return Err(StorageError::DuplicateKey(Box::new(conflict.on_clustered(desc.clustered))));
                }
                Err(e) => return Err(e.into()),
            }
        }
        for (name, packed) in &removals {
            if unique(name).is_none() {
                continue;
            }
            let (esc, _) = unpack_entry(packed);
            if owner_of(name, esc)? == Some(recordid) {
                held.remove()?;
            }
        }
        Ok((additions, removals))
    }

    fn insert_index_entries(
`,
    },
  ],
} as const;
