"""Documents for tests of the refinery: the Primer's sections, and things that should be dropped."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

from phinery.data.sources.primer import primer_sections

GERMAN = (
    "Die Sonne scheint heute über den Bergen, und die Kinder gehen mit ihren Eltern an den See. "
    "Dort baden sie, essen Brot und Käse und schauen den Booten zu, die langsam über das Wasser "
    "ziehen. Am Abend kehren alle müde, aber zufrieden nach Hause zurück und erzählen einander, "
    "was sie gesehen haben. Der Vater liest noch eine Geschichte vor, bevor das Licht ausgeht. "
)
JUNK = "buy now | click here | login | home\n" * 30
SECRET = "Write to ada.byron@analytical-engines.com or call +44 20 7946 0958 for the notes. "


def texts() -> list[str]:
    """The Primer's 300 sections."""
    return [section.text for section in primer_sections()]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """JSON lines, compressed when the name says so."""
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_corpus(folder: Path, *, files: int = 4) -> dict[str, int]:
    """A folder of JSON lines with known contents; returns how many documents are of each kind."""
    folder.mkdir(parents=True)
    sections = texts()
    draw = random.Random(5)
    rows: list[dict[str, str]] = []
    for number, text in enumerate(sections):
        rows.append({"id": f"good-{number:03d}", "text": text, "source": f"book{number % 2}"})
    for number in range(20):
        rows.append({"id": f"copy-{number:02d}", "text": sections[number], "source": "copies"})
        nearly = sections[100 + number].rsplit(" ", 3)[0] + " and that is that."
        rows.append({"id": f"near-{number:02d}", "text": nearly, "source": "copies"})
    for number in range(5):
        rows.append({"id": f"german-{number}", "text": f"{GERMAN * 3}{number}", "source": "web"})
        rows.append({"id": f"junk-{number}", "text": f"{JUNK}{number}", "source": "web"})
        secret = f"{SECRET}{sections[200 + number]}"
        rows.append({"id": f"secret-{number}", "text": secret, "source": "web"})
    draw.shuffle(rows)
    for number in range(files):
        write_rows(folder / f"part{number}.jsonl.gz", rows[number::files])
    return {"good": 300, "copies": 20, "near": 20, "german": 5, "junk": 5, "secret": 5}


def contents(directory: Path) -> dict[str, bytes]:
    """Name -> bytes of everything that a refining wrote, but for what tells the time."""
    found: dict[str, bytes] = {}
    for path in sorted(directory.iterdir()):
        if path.name == "ledger.json":
            ledger = json.loads(path.read_text())
            del ledger["seconds"]
            found[path.name] = json.dumps(ledger).encode()
        elif path.name != "manifest.json":
            found[path.name] = path.read_bytes()
    return found
