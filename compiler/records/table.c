/* The families' tables, from the lists that the Makefile collects. */
#include "records/record.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

#define X(ident) extern LOSS(ident);
#include "loss_list.h"
#undef X
#define X(ident) extern METRIC(ident);
#include "metric_list.h"
#undef X
#define X(ident) extern OPTIMIZER(ident);
#include "optimizer_list.h"
#undef X
#define X(ident) extern INITIALIZER(ident);
#include "initializer_list.h"
#undef X

static const Record *const loss_records[] = {
#define X(ident) &loss_##ident.record,
#include "loss_list.h"
#undef X
};
static const Record *const metric_records[] = {
#define X(ident) &metric_##ident.record,
#include "metric_list.h"
#undef X
};
static const Record *const optimizer_records[] = {
#define X(ident) &optimizer_##ident.record,
#include "optimizer_list.h"
#undef X
};
static const Record *const initializer_records[] = {
#define X(ident) &initializer_##ident.record,
#include "initializer_list.h"
#undef X
};

const Family losses = {"loss", loss_records, COUNT(loss_records)};
const Family metrics = {"metric", metric_records, COUNT(metric_records)};
const Family optimizers = {"optimizer", optimizer_records, COUNT(optimizer_records)};
const Family initializers = {"initializer", initializer_records, COUNT(initializer_records)};

const AttrDef *record_attrs(const Record *record)
{
    return record->like ? record->like->attrs : record->attrs;
}

const Record *record_find(const Family *family, const char *name)
{
    for (int i = 0; i < family->count; i++) {
        const Record *record = family->records[i];
        if (!strcmp(record->name, name) || (record->alias && !strcmp(record->alias, name)))
            return record;
    }
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool record_unknown(Diag *diag, Loc loc, const Family *family, const char *name)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < family->count; i++) {
        ARENA_PUSH(diag->arena, names, count, family->records[i]->name);
        if (family->records[i]->alias)
            ARENA_PUSH(diag->arena, names, count, family->records[i]->alias);
    }
    qsort(names, (size_t)count, sizeof *names, by_text);
    return diag_unknown(diag, loc, family->what, name, names, count);
}
