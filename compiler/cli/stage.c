/* The spec's tree is built again for the epoch, so that all passes see the network as if it had always
 * been that one; nothing but values goes over. */
#include "cli/stage.h"

#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "weights.h"

static int64_t largest(const struct nc_model *model)
{
    int64_t most = 1;
    for (int i = 0; i < model->parameters_count; i++)
        most = model->parameters[i].elements > most ? model->parameters[i].elements : most;
    return most;
}

bool stage_move(const struct nc_model *from, const void *block, const struct nc_model *to,
                void *into, bool slots)
{
    float *values = malloc((size_t)largest(from) * sizeof *values);
    for (int i = 0; values && i < from->parameters_count; i++) {
        const struct nc_parameter *p = &from->parameters[i], *same = nc_find_parameter(to, p->name);
        if (!same || (p->role == NC_ROLE_SLOT) != slots)
            continue;
        nc_unpack(p, from->real_bytes, block, values);
        nc_pack(same, to->real_bytes, values, into);
    }
    free(values);
    return values != NULL;
}

/* A block in the new network's layouts in the place of one in the old's */
static bool replace(const struct nc_model *from, const struct nc_model *to, void **block)
{
    if (!*block)
        return true;
    void *fresh = calloc(1, to->weights_bytes + 1);
    if (!fresh || !stage_move(from, *block, to, fresh, false)) {
        free(fresh);
        return false;
    }
    free(*block);
    *block = fresh;
    return true;
}

static bool take_over(const Job *old, Job *job, void **kept[], int kept_count)
{
    bool good = stage_move(old->nc, old->session.weights, job->nc, job->session.weights, false) &&
                stage_move(old->nc, old->session.state, job->nc, job->session.state, true);
    for (int i = 0; good && i < kept_count; i++)
        good = replace(old->nc, job->nc, kept[i]);
    return good || diag_error(job->diag, (Loc){0}, "out of memory");
}

static bool start_anew(Job *job, unsigned uses)
{
    job->backend = NULL;
    job->pool = NULL;
    job->session = (struct nc_session){0};
    return job_read(job) && job_compile(job, 0, uses) && job_start(job, uses) &&
           job_init_weights(job, NULL);
}

bool stage_enter(Job *job, int64_t epoch, unsigned uses, void **kept[], int kept_count)
{
    Job old = *job;
    job->options.spec = job->model->spec;
    job->options.epoch = epoch;
    bool good = start_anew(job, uses) && take_over(&old, job, kept, kept_count);
    backend_close(old.backend);
    nc_session_close(&old.session);
    nc_pool_free(old.pool);
    return good;
}

int64_t stage_trained(const struct nc_model *model, int64_t *all)
{
    int64_t trained = 0;
    *all = 0;
    for (int i = 0; i < model->parameters_count; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        if (p->role != NC_ROLE_WEIGHT)
            continue;
        *all += p->elements;
        trained += p->trainable ? p->elements : 0;
    }
    return trained;
}
