"""Numbers that a label beside them makes personal: national phone numbers, and taxpayer numbers."""

from __future__ import annotations

PHONES: tuple[tuple[str, str], ...] = (
    ("call me on 020 7946 0958", "020 7946 0958"),
    ("Tel. 030 901820", "030 901820"),
    ("Rufen Sie mich unter 0171/2345678 an", "0171/2345678"),
    ("zadzwoń do mnie 601 234 567", "601 234 567"),
    ("mój numer to 601 234 567", "601 234 567"),
    ("moje číslo je 602 123 456", "602 123 456"),
    ("volejte 602 123 456", "602 123 456"),
    ("mitt nummer er 912 34 567", "912 34 567"),
    ("contáctame en el 655 44 33 22", "655 44 33 22"),
    ("zap: 21 98765-4321", "21 98765-4321"),
    ("telpon saya 081234567890", "081234567890"),
    ("мой номер 8(495)123-45-67", "8(495)123-45-67"),
    ("Tel 2012 2034", "2012 2034"),
)
NO_PHONES: tuple[str, ...] = (
    "The 2010 2020 2030 plans",
    "Score 21-15 21-18 21-12",
    "the call ended at 12 30 45",
    "phone costs 1 299 000 won",
    "ITIN 912-70-1234",
)
TAXPAYERS: tuple[tuple[str, str], ...] = (
    ("ITIN 912-70-1234", "912-70-1234"),
    ("ITIN: 912701234", "912701234"),
    ("itin#912-34-5678", "912-34-5678"),
    ("SSN/ITIN: 923-78-4567", "923-78-4567"),
    ("ssn 912-70-1234", "912-70-1234"),
    ("912-70-1234 (ITIN)", "912-70-1234"),
    ("ITIN 912 70 1234", "912 70 1234"),
    ("her individual taxpayer identification number is 987-65-4321", "987-65-4321"),
    ("Tax ID: 912-34-5678", "912-34-5678"),
)
NO_TAXPAYERS: tuple[str, ...] = (
    "part 912-70-1234 is out of stock",
    "912-70-1234",
    "SSN 900-12-3456",
    "the itin says 912-70-12345",
    "ITIN form W-7, order 912345678",
)
