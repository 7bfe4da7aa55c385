/* SPDX-License-Identifier: MIT */
#ifndef EVERGRANT_TESTS_BACK_FAKE_IMPL_H
#define EVERGRANT_TESTS_BACK_FAKE_IMPL_H

#include "fake_xen.h"

#include <pthread.h>

extern pthread_mutex_t fake_lock;
void fake_handles(int change);
void fake_ports_reset(void); /* under the lock */

#endif
