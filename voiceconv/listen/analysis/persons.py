"""One person is one listener, however many sessions the person had.

A participant's number from a crowd platform, or from the experimenter's link, tells who it is; a
session without one is a person of its own. The server knows a participant who comes again, but
pages without a server, and other tools, do not.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from voiceconv.listen.answers import Answer, Listener


def by_person(
    listeners: Sequence[Listener], answers: Sequence[Answer]
) -> tuple[Sequence[Listener], Sequence[Answer], list[str]]:
    """Listeners and answers with each person's sessions joined, and a note if there were any.

    The session with the most answers gives the listener's name and list. Of two answers to a trial
    the earlier one counts.
    """
    sessions: dict[tuple[str, ...], list[Listener]] = defaultdict(list)
    for one in listeners:
        named = (one.participant or "").strip()
        sessions[(named,) if named else ("session", one.id)].append(one)
    several = [own for own in sessions.values() if len(own) > 1]
    if not several:
        return listeners, answers, []
    n_answers = Counter(answer.listener for answer in answers)
    people: list[Listener] = []
    person: dict[str, str] = {}
    for own in sessions.values():
        main = max(own, key=lambda one: n_answers[one.id])
        comments = filter(None, (one.comment for one in own))
        people.append(main._replace(comment="\n".join(comments)))
        person |= {one.id: main.id for one in own}
    counted: dict[tuple[str, str], Answer] = {}
    for answer in sorted(answers, key=lambda one: one.answered):
        own_answer = answer._replace(listener=person.get(answer.listener, answer.listener))
        counted.setdefault((own_answer.listener, answer.trial), own_answer)
    n_sessions = sum(map(len, several))
    note = (
        f"{n_sessions} sessions are of {len(several)} participant{'s' * (len(several) > 1)}: each "
        "counts as one listener, with the earlier of two answers to a trial."
    )
    return people, list(counted.values()), [note]
