#pragma once
// The parts of the attacker's program.

/// Something to try: `run` says what it reached, or nothing.
struct attempt {
  const char* name;
  const char* (*run)(void);
};

const char* broken(const char* what);
/// Nothing if a call was refused for want of permission or does not exist; else what it came to.
const char* refused(long result);
/// The same, and an error that means here that there is nothing to be had.
const char* refused_or(long result, int other);

extern const struct attempt kProcessAttempts[], kKernelAttempts[], kNamespaceAttempts[], kNetworkAttempts[];
