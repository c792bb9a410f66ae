#include "registry/curl_library.h"

#include <dlfcn.h>

#include <type_traits>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

constexpr const char* kName = "libcurl.so.4";

[[noreturn]] void refuse() {
  const char* problem = ::dlerror();
  HostError error(concat("libcurl cannot be loaded: ", problem ? problem : kName));
  error.set_hint("install the package libcurl4");
  throw error;
}

CurlLibrary load() {
  void* library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);  // never closed
  if (!library) refuse();
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (!function) refuse();
  };
  CurlLibrary loaded;
  find("curl_easy_cleanup", loaded.easy_cleanup);
  find("curl_easy_init", loaded.easy_init);
  find("curl_easy_reset", loaded.easy_reset);
  find("curl_easy_setopt", loaded.easy_setopt);
  find("curl_easy_strerror", loaded.easy_strerror);
  find("curl_free", loaded.free);
  find("curl_getdate", loaded.getdate);
  find("curl_global_init", loaded.global_init);
  find("curl_multi_add_handle", loaded.multi_add_handle);
  find("curl_multi_cleanup", loaded.multi_cleanup);
  find("curl_multi_info_read", loaded.multi_info_read);
  find("curl_multi_init", loaded.multi_init);
  find("curl_multi_perform", loaded.multi_perform);
  find("curl_multi_poll", loaded.multi_poll);
  find("curl_multi_remove_handle", loaded.multi_remove_handle);
  find("curl_multi_wakeup", loaded.multi_wakeup);
  find("curl_slist_append", loaded.slist_append);
  find("curl_slist_free_all", loaded.slist_free_all);
  find("curl_url", loaded.url);
  find("curl_url_cleanup", loaded.url_cleanup);
  find("curl_url_get", loaded.url_get);
  find("curl_url_set", loaded.url_set);
  find("curl_url_strerror", loaded.url_strerror);
  if (loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw HostError("libcurl cannot be initialised");
  return loaded;
}

}  // namespace

const CurlLibrary& libcurl() {
  static const CurlLibrary kLibrary = load();
  return kLibrary;
}

}  // namespace slipway
