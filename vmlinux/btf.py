#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reads BTF, the kernel's type information, and the CO-RE relocations of a BPF
object, out of raw BTF, ELF files and the bare image that an arm64 vmlinuz is.
Owns the formats (Documentation/bpf/btf.rst, include/uapi/linux/btf.h, bpf.h);
little endian only, as synfin's architectures are. Judges nothing. As a
program, btf.py KERNEL OUT, it takes the BTF out of a kernel.
"""
import struct
import sys

MAGIC = b"\x9f\xeb\x01\x00"  # magic, version 1, no flags

(INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC,
 FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64) = range(1, 20)

KIND_NAMES = ("void int pointer array struct union enum struct typedef volatile const restrict "
              "func func_proto var datasec float decl_tag type_tag enum").split()

MODIFIERS = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
COMPOSITES = (STRUCT, UNION)
ENUMS = (ENUM, ENUM64)

# Bytes that follow the 12 of every type: fixed ones, and those per vlen.
_TAIL = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8),
         FUNC_PROTO: (0, 8), VAR: (4, 0), DATASEC: (0, 12), DECL_TAG: (4, 0), ENUM64: (0, 12)}

# enum bpf_core_relo_kind
(BYTE_OFFSET, BYTE_SIZE, FIELD_EXISTS, FIELD_SIGNED, LSHIFT, RSHIFT, TYPE_ID_LOCAL,
 TYPE_ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUMVAL_EXISTS, ENUMVAL_VALUE, TYPE_MATCHES) = range(13)
EXISTS_KINDS = (FIELD_EXISTS, TYPE_EXISTS, ENUMVAL_EXISTS)


class BtfError(Exception):
    """The bytes are not what they should be."""


class Member:
    """A member of a struct or union. bits: width of a bitfield, 0 if it is none."""
    __slots__ = ("name", "type", "offset", "bits")

    def __init__(self, name, type_id, offset, bits):
        self.name, self.type, self.offset, self.bits = name, type_id, offset, bits


class Btf:
    """All types of one BTF, by id; decoded when asked for, as a kernel has 150,000."""

    def __init__(self, data):
        if data[:4] != MAGIC or len(data) < 24:
            raise BtfError("no BTF")
        hdr_len, type_off, type_len, str_off, str_len = struct.unpack_from("<5I", data, 4)
        if len(data) < hdr_len + max(type_off + type_len, str_off + str_len):
            raise BtfError("truncated BTF")
        self._data = data
        self._strings = data[hdr_len + str_off:hdr_len + str_off + str_len]
        self._offsets = [0]
        self._by_name = {}
        self._index(hdr_len + type_off, hdr_len + type_off + type_len)

    def _index(self, at, end):
        unpack = struct.Struct("<II").unpack_from
        while at < end:
            name_off, info = unpack(self._data, at)
            kind = info >> 24 & 0x1f
            if not INT <= kind <= ENUM64:
                raise BtfError(f"type {len(self._offsets)} is of unknown kind {kind}")
            if kind in COMPOSITES or kind in ENUMS or kind == TYPEDEF:
                self._by_name.setdefault(self.string(name_off), []).append(len(self._offsets))
            self._offsets.append(at)
            fixed, each = _TAIL.get(kind, (0, 0))
            at += 12 + fixed + each * (info & 0xffff)

    def __len__(self):
        return len(self._offsets)

    def _words(self, type_id):
        if not 0 < type_id < len(self._offsets):
            raise BtfError(f"no type {type_id}")
        return struct.unpack_from("<III", self._data, self._offsets[type_id])

    def string(self, offset):
        end = self._strings.index(b"\0", offset)
        return self._strings[offset:end].decode("utf-8", "replace")

    def kind(self, type_id):
        """The kind, 0 for void."""
        return self._words(type_id)[1] >> 24 & 0x1f if type_id else 0

    def name(self, type_id):
        return self.string(self._words(type_id)[0]) if type_id else "void"

    def target(self, type_id):
        """What a pointer, typedef or modifier refers to."""
        return self._words(type_id)[2]

    def resolve(self, type_id):
        """The type without typedefs and modifiers."""
        while type_id and self.kind(type_id) in MODIFIERS:
            type_id = self.target(type_id)
        return type_id

    def size(self, type_id):
        """Bytes of an int, enum, struct or union."""
        return self._words(type_id)[2]

    def sizeof(self, type_id):
        """Bytes of any type that has a size, on a 64-bit machine."""
        type_id = self.resolve(type_id)
        kind = self.kind(type_id)
        if kind == PTR:
            return 8
        if kind == ARRAY:
            elem, count = self.array(type_id)
            return count * self.sizeof(elem)
        return self.size(type_id)

    def is_signed(self, type_id):
        """Of an int only."""
        return bool(struct.unpack_from("<I", self._data, self._offsets[type_id] + 12)[0]
                    >> 24 & 1)

    def array(self, type_id):
        """(element type, number of elements)"""
        elem, _, count = struct.unpack_from("<III", self._data, self._offsets[type_id] + 12)
        return elem, count

    def members(self, type_id):
        _, info, _ = self._words(type_id)
        at = self._offsets[type_id] + 12
        for i in range(info & 0xffff):
            name_off, member_type, offset = struct.unpack_from("<III", self._data, at + 12 * i)
            bits = offset >> 24 if info >> 31 else 0
            yield Member(self.string(name_off), member_type,
                         offset & 0xffffff if info >> 31 else offset, bits)

    def enumerators(self, type_id):
        """(name, value) of an enum's values."""
        _, info, _ = self._words(type_id)
        is_signed, at = info >> 31, self._offsets[type_id] + 12
        for i in range(info & 0xffff):
            if self.kind(type_id) == ENUM:
                name_off, value = struct.unpack_from("<Ii" if is_signed else "<II",
                                                     self._data, at + 8 * i)
            else:
                name_off, low, high = struct.unpack_from("<III", self._data, at + 12 * i)
                value = low | high << 32
                if is_signed and high >> 31:
                    value -= 1 << 64
            yield self.string(name_off), value

    def named(self, name, kinds):
        """Ids of all types of that name and one of those kinds; a name may be used twice."""
        return [i for i in self._by_name.get(name, ()) if self.kind(i) in kinds]

    def find_member(self, type_id, name):
        """
        The member of that name, its offset counted from the outermost struct; looks into
        anonymous structs and unions, as CO-RE does. None if there is none.
        """
        for member in self.members(type_id):
            if member.name == name:
                return member
            inner = self.resolve(member.type)
            if member.name or self.kind(inner) not in COMPOSITES:
                continue
            found = self.find_member(inner, name)
            if found:
                return Member(name, found.type, member.offset + found.offset, found.bits)
        return None


def elf_sections(data):
    """{name: bytes} of a 64-bit little-endian ELF file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise BtfError("not a 64-bit little-endian ELF file")
    (shoff,) = struct.unpack_from("<Q", data, 40)
    shentsize, shnum, shstrndx = struct.unpack_from("<HHH", data, 58)
    heads = [struct.unpack_from("<IIQQQQ", data, shoff + i * shentsize) for i in range(shnum)]
    names = data[heads[shstrndx][4]:heads[shstrndx][4] + heads[shstrndx][5]]
    sections = {}
    for name_off, _, _, _, offset, size in heads:
        name = names[name_off:names.index(b"\0", name_off)].decode("ascii", "replace")
        sections[name] = data[offset:offset + size]
    return sections


def _scan(data):
    """The largest BTF in a bare image, which has no table of sections."""
    best, at = b"", data.find(MAGIC)
    while at >= 0:
        if at + 24 <= len(data):
            hdr_len, type_off, type_len, str_off, str_len = struct.unpack_from("<5I", data, at + 4)
            whole = hdr_len + str_off + str_len
            # The types come first, the strings right behind them; the first string is empty.
            if (24 <= hdr_len <= 64 and type_off == 0 and str_off == type_len and str_len and
                    len(best) < whole <= len(data) - at and
                    data[at + hdr_len + str_off] == 0 and data[at + whole - 1] == 0):
                best = data[at:at + whole]
        at = data.find(MAGIC, at + 1)
    if not best:
        raise BtfError("no BTF in it (a compressed kernel must be unpacked first)")
    return best


def find(data):
    """The bytes of the BTF in raw BTF, an ELF file or a bare kernel image."""
    if data[:4] == MAGIC:
        return data
    if data[:4] != b"\x7fELF":
        return _scan(data)
    section = elf_sections(data).get(".BTF")
    if not section:
        raise BtfError("no .BTF section")
    return section


class Relocation:
    """One CO-RE relocation: what the program asks of the kernel's BTF."""
    __slots__ = ("section", "type", "access", "kind")

    def __init__(self, section, type_id, access, kind):
        self.section, self.type, self.access, self.kind = section, type_id, access, kind


def relocations(btf, ext):
    """The CO-RE relocations in a .BTF.ext section, whose names are in btf."""
    if ext[:4] != MAGIC:
        raise BtfError("no .BTF.ext")
    (hdr_len,) = struct.unpack_from("<I", ext, 4)
    if hdr_len < 32:
        return []
    offset, length = struct.unpack_from("<II", ext, 24)
    found = []
    if not length:
        return found
    at, end = hdr_len + offset, hdr_len + offset + length
    (size,) = struct.unpack_from("<I", ext, at)
    at += 4
    while at < end:
        section, count = struct.unpack_from("<II", ext, at)
        at += 8
        for _ in range(count):
            _, type_id, access, kind = struct.unpack_from("<IIII", ext, at)
            found.append(Relocation(btf.string(section), type_id, [
                int(index) for index in btf.string(access).split(":")], kind))
            at += size
    return found


def main():
    """btf.py KERNEL OUT"""
    if len(sys.argv) != 3:
        print("usage: btf.py KERNEL OUT", file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], "rb") as kernel:
            raw = find(kernel.read())
        Btf(raw)
        with open(sys.argv[2], "wb") as out:
            out.write(raw)
    except (OSError, BtfError, struct.error) as err:
        print(f"btf.py: {sys.argv[1]}: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
