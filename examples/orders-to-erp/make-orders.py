#!/usr/bin/env python3
"""Writes sample orders as CSV to standard output: `make-orders.py [ROWS]`. Deterministic, and awkward on purpose:
quotes, separators and line breaks inside fields, UTF-8 beyond the basic plane, empty fields, leading zeros and signs."""
import csv
import sys

CITIES = ["Zürich", "São Paulo", "東京", "Kraków", "", "Saint-Jean-d'Angély", "القاهرة", "Reykjavík"]
NOTES = ["", 'say "hello" at the gate', "fragile; keep upright", "line one\nline two", "a,b,c", "🚚 express", "=1+1", "  spaces kept  ",
         "0123", "null", "-5", 'one "quoted", two\r\nthree']


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    sys.stdout.reconfigure(encoding="utf-8", newline="")
    out = csv.writer(sys.stdout, lineterminator="\r\n")
    out.writerow(["id", "customer", "city", "total", "note"])
    for number in range(1, rows + 1):
        customer = f'Customer {number % 977:04d}{" & Co" if number % 5 == 0 else ""}{" " + chr(34) + "north" + chr(34) if number % 11 == 0 else ""}'
        total = f"{(number * 7919) % 100000 / 100:.2f}" if number % 13 else ""
        out.writerow([number, customer, CITIES[number % len(CITIES)], total, NOTES[number % len(NOTES)]])


if __name__ == "__main__":
    main()
