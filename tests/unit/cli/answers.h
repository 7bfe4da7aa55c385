/* SPDX-License-Identifier: MIT */
/* Answers of evergrantd as evergrant-control(7) describes them. */
#ifndef EVERGRANT_TESTS_CLI_ANSWERS_H
#define EVERGRANT_TESTS_CLI_ANSWERS_H

#define ANSWER_DISK_HEAD                                                  \
        "\"domid\":1,\"domain\":\"g1\",\"vdev\":51712,\"name\":\"xvda\"," \
        "\"target\":\"/srv/a \\\"b\\\".img\",\"driver\":\"file\","        \
        "\"direct\":true,\"readonly\":false,\"size_bytes\":67108864,"     \
        "\"state\":\"connected\",\"grants_asked\":\"persistent\","        \
        "\"grants_served\":\"copy\","                                     \
        "\"grants_why\":\"the frontend cannot\",\"ring_order\":2,"        \
        "\"queues\":1,\"protocol\":\"x86_64-abi\",\"io_thread\":0,"       \
        "\"error\":\"\""

#define ANSWER_LIST                                                          \
        "{\"version\":1,\"ok\":true,\"disks\":[{" ANSWER_DISK_HEAD           \
        "},{\"domid\":22,\"domain\":\"other\",\"vdev\":51728,"               \
        "\"name\":\"xvdb\",\"target\":\"ram:1G\",\"driver\":\"ram\","        \
        "\"readonly\":true,\"size_bytes\":1073741824,\"state\":\"waiting\"," \
        "\"grants_asked\":\"auto\",\"grants_served\":\"auto\","              \
        "\"error\":\"evil\\u001b[2J\\nname\"}]}"

/* With %s for the reads, %s for the domain's name. */
#define ANSWER_STAT_FORMAT                                                 \
        "{\"version\":1,\"ok\":true,\"daemon\":{\"pid\":4242,"             \
        "\"version\":\"0.1.0\",\"io_threads\":2,\"uring\":false,"          \
        "\"uring_why\":\"forbidden\",\"rule\":{\"measured\":true,"         \
        "\"map_base_ns\":1500,\"map_seg_ns\":250.5,\"copy_base_ns\":300,"  \
        "\"copy_seg_ns\":90,\"copy_up_to_segs\":11},\"map_budget\":61434," \
        "\"map_budget_used\":1056},\"disks\":[{" ANSWER_DISK_HEAD          \
        ",\"max_persistent\":1056,\"max_persistent_asked\":2000,"          \
        "\"latency_us\":{\"p50\":12.5,\"p99\":250,\"p999\":1800},"         \
        "\"counters\":{\"reads\":%s,\"writes\":7,\"flushes\":1,"           \
        "\"barriers\":0,\"discards\":2,\"read_bytes\":50331648,"           \
        "\"write_bytes\":28672,\"discard_bytes\":0,\"errors\":3,"          \
        "\"unsupported\":0,\"refused\":{\"bad-op\":4,\"bad-range\":0},"    \
        "\"bad_grants\":0,\"kicks\":10,\"empty_kicks\":1,\"notifies\":9,"  \
        "\"inflight\":5,\"inflight_high\":32,\"via_persistent\":0,"        \
        "\"via_map\":0,\"via_copy\":12000,\"hits\":0,\"misses\":0,"        \
        "\"in_use\":0,\"overflows\":0,\"no_memory\":0,\"evicted_lru\":0,"  \
        "\"evicted_idle\":0,\"kept\":0,\"kept_high\":0,\"cap\":1056,"      \
        "\"map_calls\":1,\"map_pages\":4,\"unmap_calls\":0,"               \
        "\"unmap_pages\":0,\"map_failures\":0,\"copy_calls\":12000,"       \
        "\"copy_segments\":24000,\"slow_grant_calls\":0,"                  \
        "\"held_events\":6,\"lost_events\":2,"                             \
        "\"ring_broken\":0},\"rings\":["                                   \
        "{\"queue\":0,\"io_thread\":1,\"max_persistent\":1056,"            \
        "\"counters\":{\"reads\":1234,\"writes\":7,\"inflight\":3,"        \
        "\"kept\":88,\"held_events\":6,\"lost_events\":0}},"               \
        "{\"queue\":1,\"io_thread\":0,\"max_persistent\":900,"             \
        "\"counters\":{\"reads\":1,\"writes\":0,\"inflight\":2,"           \
        "\"kept\":0,\"held_events\":0,\"lost_events\":2}}]}]%s}"

#define ANSWER_PING "{\"version\":1,\"ok\":true}"

#endif
