"""Check digits of Japanese and international numbers. A good digit is evidence, a bad one never proof of innocence."""

from __future__ import annotations


def my_number_ok(digits: str) -> bool:
    """個人番号, 12 digits: 番号法施行令8条, 平成26年総務省令85号5条 (weights 2–7, modulo 11, digit last)."""
    if len(digits) != 12:
        return False
    total = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(digits[:11]), 1))
    rest = total % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def corporate_number_ok(digits: str) -> bool:
    """法人番号, 13 digits: 平成26年財務省令70号2条 (check digit first, modulo 9, never 0)."""
    if len(digits) != 13:
        return False
    total = sum(int(d) * (1 if n % 2 else 2) for n, d in enumerate(reversed(digits[1:]), 1))
    return int(digits[0]) == 9 - total % 9


def luhn_ok(digits: str) -> bool:
    """Card numbers: ISO/IEC 7812, modulo 10 with every second digit doubled."""
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def licence_ok(digits: str) -> bool:
    """運転免許証番号, 12 digits: the 11th checks the first ten (weights 5432765432, modulo 11); the 12th counts reissues."""
    if len(digits) != 12:
        return False
    rest = 11 - sum(int(d) * w for d, w in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False)) % 11
    return int(digits[10]) == {11: 1, 10: 0}.get(rest, rest)


def insurer_ok(digits: str) -> bool:
    """保険者番号, 6 or 8 digits: weights 2, 1 from the right, digits of the products added, modulo 10, digit last."""
    if len(digits) not in (6, 8):
        return False
    return luhn_ok(digits)


def iban_ok(iban: str) -> bool:
    """IBAN: ISO 13616, modulo 97."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1
