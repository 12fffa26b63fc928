#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tests verify.py: makes small kernels, headers and programs in a temporary
directory, most of them wrong in one way, and looks whether that is what is
found. Needs clang (named by CLANG, else clang-16 or clang), neither root nor
a kernel. Writes TAP.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

KERNEL = """
struct inner { unsigned int a; };
struct thing {
	long long before;
	union { int plain; long long other; };
	unsigned short width;
	unsigned char flag : 4;
	struct inner *ptr;
	int array[4];
	char name[16];
};
struct sock_common { int skc_family; };
enum num { NUM_ONE = 1, NUM_TWO = 2 };
struct thing a_thing;
struct inner an_inner;
struct sock_common a_sock;
enum num a_num;
"""

HEADER = """
enum num {
	NUM_TWO = 2,
};
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inner {
	unsigned int a;
};
struct thing {
	int plain;
	unsigned short width;
	unsigned char flag;
	struct inner *ptr;
	int array[4];
	char name[16];
};
#pragma clang attribute pop
"""

# The numbers of __builtin_preserve_field_info() are those of enum bpf_core_relo_kind.
PROGRAM = """
#include "vmlinux.h"
#define INFO(field, kind) __builtin_preserve_field_info(field, kind)
#define BITS(field) (INFO(field, 0) + INFO(field, 4))
#define EXISTS(field) INFO(field, 2)
__attribute__((section("kprobe/x"), used)) int prog(struct thing *t)
{
	return t->plain + t->width + t->ptr->a + t->array[3] + t->name[0] + BITS(t->flag);
}
"""

SOCK = ("struct inner {", "struct sock_common {\n\tint skc_v6_daddr;\n};\nstruct inner {")
SOCK_READ = "((struct sock_common *)t)->skc_v6_daddr"
OLD = ("struct inner {", "struct thing___old {\n\tint gone;\n};\nstruct inner {")
OLD_READ = "((struct thing___old *)t)->gone"
X86 = ("struct inner {", "struct pt_regs {\n\tlong orig_ax;\n};\nstruct inner {")
X86_READ = "((struct pt_regs *)t)->orig_ax"


def reads(expression):
    """The change that makes the program read something more."""
    return ("return ", f"return {expression} + ")


# title; changes of the kernel, the header, the program; exit status; what must be said
CASES = [
    ("all is right", [], [], [], 0, "ok 4 - kernel.o: 8 relocations of prog.o"),
    ("a member that does not exist",
     [], [("int plain;", "int plain;\n\tint gone;")], [reads("t->gone")], 1,
     "# thing.gone does not exist\n", "# thing.gone cannot be relocated (in kprobe/x)\n"),
    ("a member that does not exist and is not read",
     [], [("int plain;", "int plain;\n\tint gone;")], [], 1, "# thing.gone does not exist\n"),
    ("a type that does not exist",
     [("struct inner {", "struct other {"), ("struct inner *", "void *"),
      ("struct inner a", "struct other a")], [], [], 1, "# inner does not exist\n"),
    ("another width", [], [("unsigned short width", "unsigned int width")], [], 1,
     "# thing.width is unsigned integer of 4 bytes, the kernel's is unsigned integer of 2 bytes\n"),
    ("another sign", [], [("unsigned short width", "short width")], [], 1,
     "# thing.width is signed integer of 2 bytes"),
    ("a pointer that is none", [], [("int plain", "int *plain"), ], [
        ("t->plain", "*t->plain")], 1, "# thing.plain is pointer to signed integer"),
    ("a pointer to something else",
     [], [("struct inner *ptr", "struct thing *ptr")], [("t->ptr->a", "t->ptr->width")], 1,
     "# thing.ptr is pointer to struct thing, the kernel's is pointer to struct inner\n"),
    ("a longer array", [], [("array[4]", "array[5]")], [("array[3]", "array[4]")], 1,
     "# thing.array is array of 5", "# thing.array.4 cannot be relocated"),
    ("a bitfield read as a whole", [], [], [("BITS(t->flag)", "t->flag")], 1,
     "# thing.flag is a bitfield of 4 bits, and is read without"),
    ("a bitfield that became whole", [("flag : 4", "flag")], [], [], 0),
    ("another number", [], [("NUM_TWO = 2", "NUM_TWO = 3")], [], 1,
     "# NUM_TWO is 3, the kernel's is 2\n"),
    ("a number that does not exist", [], [("NUM_TWO = 2", "NUM_TEN = 10")], [], 1,
     "# NUM_TEN does not exist\n"),
    ("an optional member, asked for", [], [SOCK],
     [reads(f"(EXISTS({SOCK_READ}) ? {SOCK_READ} : 0)")], 0,
     "# kernel.o lacks sock_common.skc_v6_daddr: only with CONFIG_IPV6\n"),
    ("an optional member, not asked for", [], [SOCK], [reads(SOCK_READ)], 1,
     "# sock_common.skc_v6_daddr is read without asking if it exists (in kprobe/x)\n"),
    ("a flavour, asked for", [], [OLD], [reads(f"(EXISTS({OLD_READ}) ? {OLD_READ} : 0)")], 0,
     "ok 4 - kernel.o: 10 relocations of prog.o"),
    ("a flavour, not asked for", [], [OLD], [reads(OLD_READ)], 1,
     "# thing___old.gone is read without asking if it exists (in kprobe/x)\n"),
    ("two types of one name",
     [("enum num {", "void f(void)\n{\n\t__attribute__((used)) static struct thing {\n"
       "\t\tint plain;\n\t} t;\n}\nenum num {")], [], [], 1,
     "ok 2 - ", "# thing.plain is ambiguous"),
    ("a kernel of another architecture",
     [("struct inner {", "struct pt_regs { int syscallno; } regs;\nstruct inner {")], [X86],
     [reads(X86_READ)], 1, "# none of the objects is for arm64\n"),
    ("the same architecture",
     [("struct inner {", "struct pt_regs { long orig_ax; } regs;\nstruct inner {")], [X86],
     [reads(X86_READ)], 0),
]


def clang():
    for name in filter(None, [os.environ.get("CLANG"), "clang-16", "clang"]):
        if shutil.which(name):
            return name
    sys.exit("verify_test.py: no clang")


def write(path, text, changes):
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the text")
        text = text.replace(old, new, 1)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def build(folder, name, text, changes):
    """Compiles text to folder/name.o, whose path it returns."""
    source, out = os.path.join(folder, f"{name}.c"), os.path.join(folder, f"{name}.o")
    write(source, text, changes)
    subprocess.run([clang(), "-target", "bpf", "-O1", "-g", "-I", folder, "-c", source, "-o", out],
                   check=True)
    return out


def verify(folder, *args):
    """(exit status, all it wrote)"""
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "verify.py"), "--header",
         os.path.join(folder, "vmlinux.h"), *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def run_case(folder, case):
    _, kernel_changes, header_changes, program_changes, status, *said = case
    write(os.path.join(folder, "vmlinux.h"), HEADER, header_changes)
    kernel = build(folder, "kernel", KERNEL, kernel_changes)
    program = build(folder, "prog", PROGRAM, program_changes)
    result, text = verify(folder, "--object", program, kernel)
    return result == status and all(part in text for part in said), text


def test_use(folder):
    """With programs of both architectures, what neither reads is told."""
    write(os.path.join(folder, "vmlinux.h"), HEADER,
          [X86, ("int plain;", "int plain;\n\tint idle;"), ("long orig_ax;\n", (
              "long orig_ax;\n\tint syscallno;\n"))])
    x86 = build(folder, "prog", PROGRAM, [reads(X86_READ)])
    write(os.path.join(folder, "vmlinux.h"), HEADER,
          [("struct inner {", "struct lone {\n\tint a;\n};\nstruct inner {"),
           ("struct inner {", "struct pt_regs {\n\tint syscallno;\n};\nstruct inner {")])
    arm64 = build(folder, "arm", PROGRAM, [reads("((struct pt_regs *)t)->syscallno")])
    kernel = build(folder, "kernel", KERNEL, [
        ("struct inner {", "struct pt_regs { int syscallno; } regs;\nstruct inner {")])
    result, text = verify(folder, "--object", x86, "--object", arm64, kernel)
    return result == 1 and text.startswith("not ok 1 - ") and all(part in text for part in (
        "# lone is used by no program\n", "# thing.idle is read by no program\n")), text


def test_no_btf(folder):
    """A kernel without BTF is an error, not a failed or a passed check."""
    write(os.path.join(folder, "vmlinux.h"), HEADER, [])
    program = build(folder, "prog", PROGRAM, [])
    nothing = os.path.join(folder, "nothing")
    write(nothing, "no kernel", [])
    result, text = verify(folder, "--object", program, nothing)
    return result == 2 and "no BTF in it" in text, text


def test_bare_image(folder):
    """BTF is found in an image without sections, as an arm64 vmlinuz is."""
    write(os.path.join(folder, "vmlinux.h"), HEADER, [])
    program = build(folder, "prog", PROGRAM, [])
    kernel, raw = build(folder, "kernel", KERNEL, []), os.path.join(folder, "raw.btf")
    subprocess.run([sys.executable, "-B", os.path.join(HERE, "btf.py"), kernel, raw], check=True)
    image = os.path.join(folder, "vmlinuz-1")
    with open(raw, "rb") as file, open(image, "wb") as out:
        out.write(b"MZ" + bytes(1000) + b"\x9f\xeb\x01\0" * 9 + file.read() + b"\x9f\xeb\x01\0")
    result, text = verify(folder, "--object", program, image, raw)
    return result == 0 and "- vmlinuz-1: struct thing\n" in text and "- raw: " in text, text


def main():
    failed = 0
    tests = [(case[0], lambda folder, case=case: run_case(folder, case)) for case in CASES]
    tests += [(test.__doc__.split("\n")[0].rstrip("."), test)
              for test in (test_use, test_no_btf, test_bare_image)]
    print(f"1..{len(tests)}")
    for number, (title, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            passed, text = test(folder)
        print(f"{'ok' if passed else 'not ok'} {number} - {title}")
        if not passed:
            failed += 1
            print("".join(f"# {line}\n" for line in text.splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
