use super::{
    check, conflicts,
    error::DomainError,
    interfaces::Interfaces,
    libvirt::Domain,
    memory,
    nic::Nic,
    placing, qemu_override,
    splice::{Overlap, splice},
};
use vocabulary::NetworkName;

impl Domain<'_> {
    /// The domain with exactly these NICs under their aliases, and with memory that a switch can map.
    ///
    /// `order` is the VMI's order of all its interfaces; it decides where a new NIC goes. Rewriting the result
    /// returns the result. Without NICs the input is returned as it is.
    ///
    /// # Errors
    /// When memory is explicitly private, or when an alias or socket is already taken.
    pub fn rewrite(&self, nics: &[Nic], order: &[NetworkName]) -> Result<String, DomainError> {
        let text = self.document().text();
        let Some(first) = nics.first() else {
            return Ok(text.to_owned());
        };
        let interfaces = Interfaces::of(self);
        conflicts::check(self, &interfaces, nics)?;
        let mut edits = memory::edits(self, &first.network)?;
        edits.extend(placing::edits(self, &interfaces, nics, order));
        edits.extend(qemu_override::edits(self, nics));
        let answer = splice(text, edits).map_err(|Overlap| DomainError::BadResult("two edits overlap"))?;
        check::answer(&answer, nics)?;
        Ok(answer)
    }
}
