/* netcc ops: what a spec can name, read from the records. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "reference.h"
#include "spelling.h"

static const Option options[] = {OPTION_END};

static const Family *const families[] = {&layers, &losses, &metrics, &optimizers, &initializers};
enum { FAMILIES = sizeof families / sizeof *families, NAME_COLUMN = 34 };

static void print_attributes(const AttrDef *def)
{
    for (; def && def->type != ATTR_END; def++) {
        if (def->type == ATTR_POINTER)
            continue;
        printf("  %-24s %s", def->key, attr_type_text(def));
        if (def->fallback)
            printf(", default %s", def->fallback);
        else
            printf(", required");
        printf("%s%s\n", def->doc && *def->doc ? ": " : "", def->doc ? def->doc : "");
    }
}

static void print_op(const Op *op)
{
    printf("%s: %s\n", op->activation ? "activation" : "op", op->name);
    printf("  %s\n", op->doc);
    if (op->expr)
        printf("  = %s\n", op->expr);
    print_attributes(op->attrs);
}

static int describe_name(const char *name)
{
    int found = 0;
    for (int f = 0; f < FAMILIES; f++) {
        const Record *record = record_find(families[f], name);
        if (!record)
            continue;
        printf("%s%s: %s\n  %s\n", found++ ? "\n" : "", families[f]->what, record->name,
               record->doc);
        print_attributes(record_attrs(record));
    }
    const Op *op = op_find(name);
    if (op && (!found || op->activation)) {
        fputs(found++ ? "\n" : "", stdout);
        print_op(op);
    }
    return found;
}

static int unknown(const char *name)
{
    enum { MOST = 512 };
    const char *names[MOST];
    int count = 0;
    for (int i = 0; i < OP_COUNT && count < MOST; i++)
        names[count++] = op_table[i]->name;
    for (int f = 0; f < FAMILIES; f++) {
        for (int i = 0; i < families[f]->count && count < MOST; i++)
            names[count++] = families[f]->records[i]->name;
    }
    const char *near = nc_nearest_spelling(name, names, count);
    fprintf(stderr, "netcc ops: nothing is called '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?\n", near);
    else
        fprintf(stderr, "; 'netcc ops' lists all\n");
    return EXIT_USER;
}

static void list_all(void)
{
    for (int f = 0; f < FAMILIES; f++) {
        printf("%s%s:\n", f ? "\n" : "", families[f]->what);
        for (int i = 0; i < families[f]->count; i++)
            printf("  %-*s %s\n", NAME_COLUMN, families[f]->records[i]->name,
                   families[f]->records[i]->doc);
    }
    for (int activation = 1; activation >= 0; activation--) {
        printf("\n%s:\n", activation ? "activation" : "op");
        for (int i = 0; i < OP_COUNT; i++) {
            if (op_table[i]->activation == activation)
                printf("  %-*s %s\n", NAME_COLUMN, op_table[i]->name, op_table[i]->doc);
        }
    }
}

static int run(const Args *args)
{
    if (args->operand)
        return describe_name(args->operand) ? EXIT_DONE : unknown(args->operand);
    list_all();
    return EXIT_DONE;
}

const Command command_ops = {"ops", "[NAME]", "What a spec can name: layers, losses, ops, ...",
                             options, run};
