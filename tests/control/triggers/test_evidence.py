"""What is said of a decision."""

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import list_targets
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.models import Offence
from mailmum.control.triggers.queries import findings_of
from mailmum.domain.listings import Action
from tests.control.triggers.kit import CLIENT, Scene


def test_what_was_told_too_late_is_an_offence_and_no_listing(scene: Scene) -> None:
    """Evidence and listing number offences; to be spared is none."""
    trigger = scene.trigger(lifetime="1h", window="1m")
    scene.see(ago=3 * 3600)
    scene.see(ago=1800)
    scene.follow()
    [version] = Version.objects.filter(source="trigger", until=None)
    assert version.note == "3 unknown recipients within 1 min (3 are enough), its 2nd offence"
    list_targets(scene.world.owner, [CLIENT], make_wish(Action.ALLOW, now=scene.now))
    Offence.objects.update(until=(scene.now - 1800) * 1000)
    scene.restart()
    scene.see(ago=10)
    scene.follow()
    told = show(scene.world.viewer, list(findings_of(scene.world.viewer, trigger)))
    enough = "3 unknown recipients within 1 min (3 are enough)"
    assert [(one["kind"], one["times"], one["says"]) for one in told] == [
        ("spare", 2, enough),
        ("list", 2, f"{enough}, its 2nd offence"),
        ("past", 1, enough),
    ]
