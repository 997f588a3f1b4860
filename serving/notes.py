"""The sentence above a list: what it was made from, and why it is not personal where it is not."""

from __future__ import annotations

from models.bundle.bundle import Bundle
from serving.lists import ItemList

NOTES = {
    "popular": "nothing is known of this person yet: what is popular",
    "blend": "little is known of this person yet: their taste, mixed with what is popular",
    "personal": "chosen by this person's own feedback",
}
WITHDREW = "this person withdrew personalization: what is popular"
CROWD = "too many people are linked with this id to be one: what is popular"
UNLEARNED = "what is popular and new to this person: the model has not learned any item that they touched"
NOT_JUDGED = "none has passed the gate yet"


def note_of(found: ItemList, bundle: Bundle, *, personal: bool, crowd: bool) -> str:
    """The note of a list.

    Args:
        found: The list.
        bundle: What it was made with.
        personal: Whether the list may be personal.
        crowd: Whether that is because too many subjects are linked; else somebody withdrew it.
    """
    if crowd:
        return CROWD
    if not personal:
        return WITHDREW
    if found.source != "popular" or not found.known_items:
        return NOTES[found.source]
    if bundle.model.personal:
        return UNLEARNED
    reason = bundle.manifest.reasons[0] if bundle.manifest.reasons else NOT_JUDGED
    return f"what is popular and new to this person; no learned model serves: {reason}"
