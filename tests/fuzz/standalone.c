// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a harness over files, where there is no libFuzzer: the arguments are files. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define INPUT_MAX (1U << 20)

/* No harness changes anything here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t *input = malloc(INPUT_MAX), *exact;
		size_t size;

		if (!file || !input)
			return 1;
		size = fread(input, 1, INPUT_MAX, file);
		fclose(file);
		/* As long as it is and no longer: ASan sees what reads beyond. */
		exact = realloc(input, size ? size : 1);
		if (!exact)
			return 1;
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
