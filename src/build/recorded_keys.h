#pragma once
// Cache keys, and what they are made of for the build's record.
#include <map>
#include <stop_token>

#include "cache/cache_key.h"
#include "dockerfile/lower.h"
#include "history/step_records.h"
#include "nodes/local_contexts.h"

namespace slipway {

/// As cache_keys(). `listener` may be null; it must live as long as `contexts`.
std::map<Digest, Digest> keys_on_record(const dockerfile::Lowered& lowered, LocalContexts& contexts,
                                        RemoteContent& remote, KeyListener* listener, std::stop_token stop);

}  // namespace slipway
