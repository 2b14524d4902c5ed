# netcc. `make` builds build/netcc, `make check` runs every test, `make demo` shows it at work.
# `make deps` installs what is missing on Debian and Ubuntu.

B       ?= build
CC      ?= gcc
OPT     ?= -O2 -g
WARN    := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wundef -Wvla -Wformat=2 -Werror
DEFS    := -D_GNU_SOURCE
INC     := -Icompiler -Iruntime -I$(B)/gen
CFLAGS  += $(OPT) $(WARN) $(DEFS) $(INC) $(SAN) -fPIC -MMD -MP
LIBS    := -lyaml -ltcc -lz -ljansson -ldl -lm -lpthread

COMPILER := $(filter-out compiler/main.c,$(sort $(wildcard compiler/*.c compiler/*/*.c)))
RUNTIME  := $(filter-out runtime/native.c runtime/data/npz.c,$(sort $(wildcard runtime/*.c runtime/*/*.c)))
OBJ      := $(patsubst %.c,$(B)/%.o,$(COMPILER) $(RUNTIME))
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

all: $(B)/netcc $(B)/npz.so

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

.PHONY: all
