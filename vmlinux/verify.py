#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Checks that each type and member in vmlinux.h exists in kernels, of the same
kind and width, and that each CO-RE relocation of the programs finds its
target. Owns the rules and the list of what a kernel may lack. Stricter than
libbpf, for which any two integers match and a bitfield is a whole integer.
Writes TAP. Exit status: 1 a check failed, 2 it could not check.
"""
import argparse
import os
import platform
import re
import struct
import sys

sys.dont_write_bytecode = True  # the tree stays as it is
import btf  # noqa: E402 pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))

_V6_DADDR = ("sock_common", "skc_v6_daddr")
_KEEPALIVE = ("sk_rst_reason", "SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT")
_DROP_REQ = ("tcp_request_sock", "drop_req")

# What a kernel may lack: (type, member), or (type, None) for the type itself. Then why that is
# no fault, and what a program must ask for (bpf_core_*_exists) where it reads it.
OPTIONAL = {
    _V6_DADDR: ("only with CONFIG_IPV6", _V6_DADDR),
    ("sock_common", "skc_v6_rcv_saddr"): ("comes with skc_v6_daddr", _V6_DADDR),
    _DROP_REQ: ("only with CONFIG_MPTCP", _DROP_REQ),
    ("sk_rst_reason", None): ("since v6.10", _KEEPALIVE),
    _KEEPALIVE: ("since v6.12", _KEEPALIVE),
}

ARCHES = {"x86", "arm64"}


class Header:
    """The names in vmlinux.h: its types, and the numbers of its enumerators."""

    def __init__(self, path):
        with open(path, encoding="ascii") as source:
            text = re.sub(r"/\*.*?\*/", "", source.read(), flags=re.S)
        self.types = {name: keyword for keyword, name in re.findall(
            r"^(struct|union|enum) (\w+) \{", text, re.M)}
        self.types.update((name, "typedef") for name in re.findall(r"^\} (\w+);", text, re.M))
        # A flavour (tcp_sock___old) describes some kernels: only its relocations are checked.
        self.types = {name: word for name, word in self.types.items() if "___" not in name}
        self.enums = []
        for name, body in re.findall(r"^enum (\w*) ?\{(.*?)\}", text, re.M | re.S):
            values = [item.partition("=") for item in body.split(",") if item.strip()]
            self.enums.append((name, [(key.strip(), int(value, 0)) for key, _, value in values]))


class Program:
    """A compiled BPF object: its types, its relocations, its architecture."""

    def __init__(self, path):
        self.label = os.path.basename(path)
        with open(path, "rb") as file:
            sections = btf.elf_sections(file.read())
        if ".BTF" not in sections or ".BTF.ext" not in sections:
            raise btf.BtfError("no BTF in it (compile with -g)")
        self.btf = btf.Btf(sections[".BTF"])
        self.relocs = btf.relocations(self.btf, sections[".BTF.ext"])
        self.arch = arch_of(self.btf)
        # Per relocation: the names it goes through, [(struct, member), ...].
        self.paths = [self._path(reloc) for reloc in self.relocs]

    def _path(self, reloc):
        """[(type name, member name or index)], outermost first; the first has no member."""
        at = self.btf.resolve(reloc.type)
        path = [(self.btf.name(reloc.type), None)]
        if reloc.kind in (btf.ENUMVAL_EXISTS, btf.ENUMVAL_VALUE):
            name, _ = list(self.btf.enumerators(at))[reloc.access[0]]
            return path + [(path[0][0], name)]
        if reloc.kind > btf.RSHIFT:
            return path
        for index in reloc.access[1:]:
            if self.btf.kind(at) in btf.COMPOSITES:
                member = list(self.btf.members(at))[index]
                path.append((self.btf.name(at), member.name))
                at = self.btf.resolve(member.type)
            else:
                path.append((None, index))
                at = self.btf.resolve(self.btf.array(at)[0])
        return path

    def reads_bits(self, struct_name, member):
        """Is the member read as a bitfield, and never otherwise?"""
        kinds = [r.kind for r, p in zip(self.relocs, self.paths) if p[-1] == (struct_name, member)]
        return kinds.count(btf.BYTE_OFFSET) <= kinds.count(btf.LSHIFT)

    def is_guarded(self, section, key):
        """Does the section ask whether that type or member exists?"""
        return any(r.section == section and r.kind in btf.EXISTS_KINDS and key in p
                   for r, p in zip(self.relocs, self.paths))


def arch_of(types):
    """The architecture that some types are of, by what each has its own way; None if by nothing."""
    for name, x86_member, arm64_member in (("pt_regs", "orig_ax", "syscallno"),
                                           ("thread_info", "status", "flags")):
        for own in types.named(name, (btf.STRUCT,)):
            if types.find_member(own, x86_member):
                return "x86"
            if types.find_member(own, arm64_member):
                return "arm64"
    return None


def describe(types, type_id):
    """A type as C would name it."""
    type_id = types.resolve(type_id)
    kind = types.kind(type_id)
    if kind == btf.PTR:
        return f"pointer to {describe(types, types.target(type_id))}"
    if kind == btf.ARRAY:
        elem, count = types.array(type_id)
        return f"array of {count} {describe(types, elem)}"
    if kind == btf.INT:
        sign = "signed" if types.is_signed(type_id) else "unsigned"
        return f"{sign} integer of {types.size(type_id)} bytes"
    return f"{btf.KIND_NAMES[kind]} {types.name(type_id) or '(anonymous)'}".strip()


def is_compatible(ours, mine, kernel, theirs, is_pointee=False):
    """May a member of type mine, of the program, read one of type theirs, of the kernel?"""
    mine, theirs = ours.resolve(mine), kernel.resolve(theirs)
    kinds = ours.kind(mine), kernel.kind(theirs)
    composites = btf.COMPOSITES + (btf.FWD,)
    if kinds[0] in composites and kinds[1] in composites:
        names = ours.name(mine).partition("___")[0], kernel.name(theirs)
        # Those without a name are compared by their members.
        return names[0] == names[1] or "" in names
    if kinds[0] in btf.ENUMS and kinds[1] in btf.ENUMS:
        return ours.size(mine) == kernel.size(theirs)
    if kinds[0] != kinds[1]:
        return is_pointee and 0 in kinds  # void * stands for any pointer
    if kinds[0] == btf.PTR:
        return is_compatible(ours, ours.target(mine), kernel, kernel.target(theirs), True)
    if kinds[0] == btf.ARRAY:
        (elem, count), (their_elem, their_count) = ours.array(mine), kernel.array(theirs)
        return count == their_count and is_compatible(ours, elem, kernel, their_elem)
    if kinds[0] == btf.INT:
        # Of a plain char, compilers and pahole versions say either sign.
        return ours.size(mine) == kernel.size(theirs) and (
            ours.is_signed(mine) == kernel.is_signed(theirs) or
            ours.name(mine) == kernel.name(theirs) == "char")
    return True


def compare_member(program, struct_name, member, kernel, theirs):
    """What is wrong with one member, as text; None if nothing is."""
    found = kernel.find_member(theirs, member.name)
    if not found:
        is_optional = (struct_name, member.name) in OPTIONAL
        return None if is_optional else f"{struct_name}.{member.name} does not exist"
    if found.bits:
        if member.bits or program.reads_bits(struct_name, member.name):
            return None
        return (f"{struct_name}.{member.name} is a bitfield of {found.bits} bits,"
                " and is read without BPF_CORE_READ_BITFIELD")
    if not is_compatible(program.btf, member.type, kernel, found.type):
        return (f"{struct_name}.{member.name} is {describe(program.btf, member.type)},"
                f" the kernel's is {describe(kernel, found.type)}")
    return None


def compare_members(program, name, mine, kernel, theirs):
    """All that is wrong with our struct mine against the kernel's theirs."""
    problems = []
    for member in program.btf.members(mine):
        inner = program.btf.resolve(member.type)
        if not member.name:
            problems += compare_members(program, name, inner, kernel, theirs)
            continue
        problem = compare_member(program, name, member, kernel, theirs)
        if problem:
            problems.append(problem)
            continue
        # A struct without a name stands nowhere else: its members are checked here.
        found = kernel.find_member(theirs, member.name)
        if found and program.btf.kind(inner) in btf.COMPOSITES and not program.btf.name(inner):
            problems += compare_members(program, f"{name}.{member.name}", inner, kernel,
                                        kernel.resolve(found.type))
    return problems


def check_struct(program, name, kernel):
    """Compares a struct, union or typedef of that name; the best of the kernel's counts."""
    best = None
    wanted = btf.COMPOSITES + (btf.TYPEDEF,)
    for mine in program.btf.named(name, wanted):
        is_typedef = program.btf.kind(mine) == btf.TYPEDEF
        mine = program.btf.resolve(mine)
        for theirs in kernel.named(name, (btf.TYPEDEF,) if is_typedef else btf.COMPOSITES):
            theirs = kernel.resolve(theirs)
            if kernel.kind(theirs) != program.btf.kind(mine):
                continue
            problems = compare_members(program, name, mine, kernel, theirs)
            if best is None or len(problems) < len(best):
                best = problems
    if best is None:
        return [] if (name, None) in OPTIONAL else [f"{name} does not exist"]
    return best


def check_enums(header, kernel, name):
    """The numbers in our enums of that name ('' for those without) against the kernel's."""
    problems = []
    theirs = dict(pair for type_id in kernel.named(name, btf.ENUMS)
                  for pair in kernel.enumerators(type_id))
    if not theirs:
        return [] if (name, None) in OPTIONAL else [f"enum {name} does not exist"]
    for key, value in [pair for enum, pairs in header.enums if enum == name for pair in pairs]:
        if key not in theirs:
            if (name, key) not in OPTIONAL:
                problems.append(f"{key} does not exist")
        elif theirs[key] != value:
            problems.append(f"{key} is {value}, the kernel's is {theirs[key]}")
    return problems


def resolve_reloc(program, reloc, path, kernel, theirs):
    """
    What a relocation gets from one type of the kernel: a bit offset, a value or a type; None if
    it gets nothing.
    """
    if reloc.kind in (btf.ENUMVAL_EXISTS, btf.ENUMVAL_VALUE):
        return dict(kernel.enumerators(theirs)).get(path[-1][1])
    if reloc.kind > btf.RSHIFT:
        return theirs
    offset, bits, ours, mine = 0, 0, program.btf, program.btf.resolve(reloc.type)
    for (_, step), index in zip(path[1:], reloc.access[1:]):
        if isinstance(step, int):
            mine = ours.resolve(ours.array(mine)[0])
            if kernel.kind(theirs) != btf.ARRAY or step >= kernel.array(theirs)[1]:
                return None
            theirs = kernel.resolve(kernel.array(theirs)[0])
            offset += 8 * step * kernel.sizeof(theirs)
            continue
        mine = ours.resolve(list(ours.members(mine))[index].type)
        if not step:
            continue
        if kernel.kind(theirs) not in btf.COMPOSITES:
            return None
        found = kernel.find_member(theirs, step)
        if not found:
            return None
        offset, theirs, bits = offset + found.offset, kernel.resolve(found.type), found.bits
    return offset if bits or is_compatible(ours, mine, kernel, theirs) else None


def judge_reloc(program, reloc, path, kernel):
    """What is wrong with one relocation, as text; None if nothing is."""
    name, kind = path[0][0], program.btf.kind(program.btf.resolve(reloc.type))
    if reloc.kind in btf.EXISTS_KINDS or reloc.kind == btf.TYPE_ID_LOCAL:
        return None
    guards = [OPTIONAL[key][1] for key in path if key in OPTIONAL]
    if "___" in name:
        guards.append(path[-1])  # a flavour: for the kernels that have it
    if not all(program.is_guarded(reloc.section, guard) for guard in guards):
        return "is read without asking if it exists"
    kinds = btf.ENUMS if kind in btf.ENUMS else (kind,)
    results = {resolve_reloc(program, reloc, path, kernel, theirs)
               for theirs in kernel.named(name.partition("___")[0], kinds)} - {None}
    if not results and not guards:
        return "cannot be relocated"
    if len(results) > 1 and reloc.kind <= btf.RSHIFT:
        return "is ambiguous: the kernel has several types of that name"
    return None


def check_relocs(program, kernel):
    """What CO-RE could not relocate, or not in one way only, in a program."""
    problems = {}
    for reloc, path in zip(program.relocs, program.paths):
        problem = judge_reloc(program, reloc, path, kernel)
        if problem:
            shown = ".".join([path[0][0]] + [str(step) for _, step in path[1:]])
            problems.setdefault(f"{shown} {problem}", set()).add(reloc.section)
    return [f"{problem} (in {', '.join(sorted(where))})"
            for problem, where in sorted(problems.items())]


def check_use(header, programs):
    """
    What vmlinux.h has and no program reads, and the reverse. Needs the programs of all
    architectures, as each reads types of its own.
    """
    reached = {key for program in programs for path in program.paths for key in path}
    problems = [f"{name} is read, and is not in the header" for name in
                {name for name, _ in reached} - set(header.types) - {None, ""}
                if "___" not in name]
    for name in header.types:
        kinds = btf.COMPOSITES + btf.ENUMS + (btf.TYPEDEF,)
        found = [(p.btf, p.btf.resolve(t)) for p in programs for t in p.btf.named(name, kinds)]
        if not found and header.types[name] != "enum":
            problems.append(f"{name} is used by no program")
        for types, type_id in found:
            if header.types[name] in ("struct", "union"):
                problems += [f"{name}.{m.name} is read by no program"
                             for m in types.members(type_id)
                             if m.name and (name, m.name) not in reached]
    return sorted(set(problems))


def absences(header, kernel):
    """What a kernel lacks of what it may lack, as text."""
    for (name, member), (reason, _) in OPTIONAL.items():
        if name not in header.types:
            continue
        found = kernel.named(name, btf.COMPOSITES + btf.ENUMS)
        if found and member is not None:
            found = [t for t in found if (
                member in dict(kernel.enumerators(t)) if kernel.kind(t) in btf.ENUMS
                else kernel.find_member(t, member))]
        if not found:
            yield f"lacks {name}{'.' + member if member else ''}: {reason}"


class Tap:
    """Writes the results."""

    def __init__(self):
        self.count = self.failed = 0

    def result(self, label, problems):
        self.count += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.count} - {label}")
        for problem in problems:
            print(f"# {problem}")

    def plan(self):
        print(f"1..{self.count}")


def check_kernel(tap, label, kernel, header, programs):
    """All checks of one kernel."""
    arch = arch_of(kernel)
    fitting = [p for p in programs if p.arch in (arch, None)]
    if not fitting:
        tap.result(f"{label}: programs", [f"none of the objects is for {arch}"])
        return
    for name, keyword in sorted(header.types.items()):
        users = [p for p in fitting if p.btf.named(name, btf.COMPOSITES + (btf.TYPEDEF,))]
        if users:
            problems = {text for p in users for text in check_struct(p, name, kernel)}
            tap.result(f"{label}: {keyword} {name}", sorted(problems))
    for name in sorted({name for name, _ in header.enums}):
        tap.result(f"{label}: enum {name or '(anonymous)'}", check_enums(header, kernel, name))
    for program in fitting:
        tap.result(f"{label}: {len(program.relocs)} relocations of {program.label}"
                   f"{f' ({program.arch})' if program.arch else ''}",
                   check_relocs(program, kernel))
    for text in absences(header, kernel):
        print(f"# {label} {text}")


def kernel_label(path):
    if path == "/sys/kernel/btf/vmlinux":
        return platform.release()
    base = os.path.basename(path)
    return base[:-4] if base.endswith(".btf") else base


def main():
    parser = argparse.ArgumentParser(description="Checks vmlinux.h against kernels. Writes TAP.")
    parser.add_argument("--object", action="append", required=True, metavar="OBJ",
                        help="compiled BPF object; one per architecture")
    parser.add_argument("--header", default=os.path.join(HERE, "vmlinux.h"))
    parser.add_argument("kernel", nargs="*", default=["/sys/kernel/btf/vmlinux"],
                        help="raw BTF, or a vmlinux or arm64 vmlinuz (default: the running one)")
    args = parser.parse_args()
    tap, path = Tap(), None
    try:
        path = args.header
        header = Header(path)
        programs = []
        for path in args.object:
            programs.append(Program(path))
        if {p.arch for p in programs} >= ARCHES:
            tap.result(f"{os.path.basename(args.header)}: all of it is used",
                       check_use(header, programs))
        for path in args.kernel:
            with open(path, "rb") as file:
                kernel = btf.Btf(btf.find(file.read()))
            check_kernel(tap, kernel_label(path), kernel, header, programs)
    except (OSError, ValueError, IndexError, btf.BtfError, struct.error) as err:
        print(f"verify.py: {path}: {err}", file=sys.stderr)
        return 2
    tap.plan()
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
