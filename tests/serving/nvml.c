/* A driver library with three cards: a whole one, one in MIG mode with one slice, one that shares the host's memory.
   Only what the detector asks for; the names and structures are those of NVML's public header. */
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#define OK 0
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define DRIVER_NOT_LOADED 9

typedef struct { int card; int slice; } *device;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char busId[32]; } pci;

static struct { int card; int slice; } cards[3] = {{0, 0}, {1, 0}, {2, 0}}, slice = {1, 1};

static int put(char *target, unsigned size, const char *text) { strncpy(target, text, size); return OK; }

int nvmlInitWithFlags(unsigned flags) {
    if (getenv("NVML_HANGS")) pause();
    return getenv("NVML_FAILS") ? DRIVER_NOT_LOADED : OK;
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == DRIVER_NOT_LOADED ? "Driver Not Loaded" : "Error"; }
int nvmlSystemGetDriverVersion(char *version, unsigned size) { return put(version, size, "580.95.05"); }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) { *found = (device)&cards[index]; return OK; }
int nvmlDeviceGetCudaComputeCapability(device d, int *major, int *minor) { *major = d->card == 2 ? 12 : 9; *minor = d->card == 2; return OK; }
int nvmlDeviceGetName(device d, char *name, unsigned size) {
    return put(name, size, d->slice ? "NVIDIA H200 MIG 3g.71gb" : d->card == 2 ? "NVIDIA GB10" : "NVIDIA H200");
}
int nvmlDeviceGetUUID(device d, char *uuid, unsigned size) {
    return put(uuid, size, d->slice ? "MIG-1" : d->card == 0 ? "GPU-0" : d->card == 1 ? "GPU-1" : "GPU-2");
}
int nvmlDeviceGetPciInfo_v3(device d, pci *info) {
    memset(info, 0, sizeof *info);
    return put(info->busId, sizeof info->busId, d->card == 0 ? "00000000:41:00.0" : "00000000:42:00.0");
}
int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending) {
    if (d->card == 2) return NOT_SUPPORTED;
    *current = *pending = d->card == 1;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) { *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned index, device *found) {
    if (index != 2) return NOT_FOUND;
    *found = (device)&slice;
    return OK;
}
int nvmlDeviceGetMemoryInfo(device d, memory *info) {
    if (d->card == 2) return NOT_SUPPORTED;
    info->total = d->slice ? 70ULL << 30 : 140ULL << 30;
    info->free = info->total - (1ULL << 30);
    info->used = 1ULL << 30;
    return OK;
}
