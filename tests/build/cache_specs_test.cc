#include "build/cache_specs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

using testing::HasSubstr;

template <class Parse>
std::string refusal_of(Parse parse, const char* text) {
  try {
    parse(text);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "none";
}

TEST(CacheSpecs, ReferenceAloneIsARegistrys) {
  EXPECT_EQ(parse_cache_source("user/app:cache").ref->familiar(), "user/app:cache");
  EXPECT_EQ(parse_cache_target("user/app:cache").ref->familiar(), "user/app:cache");
}

TEST(CacheSpecs, SourcesAttributes) {
  const CacheSource local = parse_cache_source("type=local,src=/some/dir,tag=x,required=true");
  EXPECT_EQ(local.type, CacheSource::Type::Local);
  EXPECT_EQ(local.directory, "/some/dir");
  EXPECT_EQ(local.tag, "x");
  EXPECT_TRUE(local.required);
  EXPECT_FALSE(parse_cache_source("type=registry,ref=a").required);
}

TEST(CacheSpecs, TargetsAttributes) {
  const CacheTarget target = parse_cache_target(
      "type=registry,ref=a/"
      "b:c,mode=max,compression=zstd,compression-level=9,image-manifest=false,ignore-error=true");
  EXPECT_TRUE(target.all_steps);
  EXPECT_EQ(target.compression->compression, Compression::Zstd);
  EXPECT_EQ(target.compression->level, 9);
  EXPECT_FALSE(target.form.image_manifest);
  EXPECT_TRUE(target.ignore_error);
  EXPECT_FALSE(parse_cache_target("type=local,dest=d").all_steps);
  EXPECT_FALSE(parse_cache_target("type=local,dest=d").compression);
  EXPECT_FALSE(parse_cache_target("type=local,dest=d,oci-mediatypes=false").form.image_manifest);
  EXPECT_EQ(parse_cache_target("type=inline").type, CacheTarget::Type::Inline);
}

TEST(CacheSpecs, BucketsAttributes) {
  const CacheTarget target = parse_cache_target(
      "type=s3,bucket=b,region=r,name=n,prefix=p/,endpoint_url=http://"
      "localhost:1,access_key_id=k,secret_access_key=s,mode=max");
  EXPECT_EQ(target.type, CacheTarget::Type::S3);
  EXPECT_EQ(target.s3.cache_name, "n");
  EXPECT_EQ(target.s3.bucket.credentials.secret_key.reveal(), "s");
  EXPECT_TRUE(target.all_steps);
  EXPECT_THAT(refusal_of(parse_cache_source, "type=s3,bucket=b,region=r,name=a;b"),
              HasSubstr("names several"));
  EXPECT_THAT(refusal_of(parse_cache_source, "type=s3,bucket=b,region=r,endpoint_url=x"),
              HasSubstr("no http"));
}

/// Sets a variable of the environment, and puts back what was there.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// Of a run that may write to one branch.
std::string actions_token() {
  return concat("e30.", base64_encode(R"({"ac":"[{\"Scope\":\"refs/heads/x\",\"Permission\":3}]"})"), ".s");
}

class ActionsSpecs : public testing::Test {
  const Variable results_{"ACTIONS_RESULTS_URL", "https://results.example.com/"};
  const Variable token_{"ACTIONS_RUNTIME_TOKEN", actions_token()};
  const Variable v1_{"ACTIONS_CACHE_URL", ""}, service_{"ACTIONS_CACHE_SERVICE_V2", ""};
};

TEST_F(ActionsSpecs, EnvironmentOfARunIsEnough) {
  const CacheTarget target = parse_cache_target("type=gha,mode=max,compression=zstd");
  EXPECT_EQ(target.type, CacheTarget::Type::Gha);
  EXPECT_TRUE(target.all_steps);
  EXPECT_EQ(target.gha.url, "https://results.example.com/");
  EXPECT_EQ(target.gha.scopes, (std::vector<GhaScope>{{"refs/heads/x", true}}));
  EXPECT_EQ(target.gha.cache_name, "buildkit");
  EXPECT_EQ(target.gha.timeout, Seconds(600));
}

TEST_F(ActionsSpecs, AttributesComeFirst) {
  const CacheSource source = parse_cache_source(
      "type=gha,scope=app,timeout=1m30s,url_v2=http://localhost:1,version=2,repository=a/b,ghtoken=c");
  EXPECT_EQ(source.gha.cache_name, "app");
  EXPECT_EQ(source.gha.timeout, Seconds(90));
  EXPECT_EQ(source.gha.url, "http://localhost:1");
}

TEST_F(ActionsSpecs, VersionOfTheServiceIsFoundOut) {
  using Api = GhaCache::Options::Api;
  const auto found = [](const char* text) {
    const GhaCache::Options gha = parse_cache_source(text).gha;
    return std::pair(gha.api, gha.url);
  };
  const std::string results = "https://results.example.com/", old = "https://old.example.com/";
  EXPECT_EQ(found("type=gha"), std::pair(Api::V2, results));
  EXPECT_EQ(found("type=gha,url=http://h"), std::pair(Api::V1, std::string("http://h")));
  EXPECT_EQ(found("type=gha,url=http://h,version=2"), std::pair(Api::V2, std::string("http://h")));
  EXPECT_EQ(found("type=gha,url=http://h,url_v2=http://i"), std::pair(Api::V2, std::string("http://i")));
  EXPECT_EQ(found("type=gha,url=http://h,url_v2=http://i,version=1"),
            std::pair(Api::V1, std::string("http://h")));
  const Variable caches("ACTIONS_CACHE_URL", old);
  EXPECT_EQ(found("type=gha"), std::pair(Api::V1, old));
  EXPECT_EQ(found("type=gha,version=2"), std::pair(Api::V2, results));
  const Variable service("ACTIONS_CACHE_SERVICE_V2", "True");
  EXPECT_EQ(found("type=gha"), std::pair(Api::V2, results));
}

TEST_F(ActionsSpecs, WhatIsMissingIsTold) {
  const auto refusal = [](const char* text) { return refusal_of(parse_cache_source, text); };
  EXPECT_THAT(refusal("type=gha,timeout=soon"), HasSubstr("is no time"));
  EXPECT_THAT(refusal("type=gha,version=3"), HasSubstr("neither 1 nor 2"));
  EXPECT_THAT(refusal("type=gha,url_v2=ftp://x"), HasSubstr("no http"));
  EXPECT_THAT(refusal("type=gha,token=ghs_1"), HasSubstr("cannot be used for the cache"));
  EXPECT_THAT(refusal("type=gha,version=1"), HasSubstr("does not know the cache service's address"));
  const Variable token("ACTIONS_RUNTIME_TOKEN", "");
  EXPECT_THAT(refusal("type=gha"), HasSubstr("there is no token"));
}

TEST(CacheSpecs, CacheMountsAreChosen) {
  EXPECT_TRUE(parse_cache_target("type=local,dest=d").mounts.empty());
  EXPECT_TRUE(parse_cache_target("type=local,dest=d,mounts=false").mounts.empty());
  EXPECT_TRUE(parse_cache_source("type=local,src=d,mounts=true").mounts.has("any"));
  const CacheTarget target = parse_cache_target("type=local,dest=d,\"mounts=/c,m\",mounts-max-size=3GiB");
  EXPECT_TRUE(target.mounts.has("/c@linux/arm64"));
  EXPECT_TRUE(target.mounts.has("m"));
  EXPECT_FALSE(target.mounts.has("/c/other"));
  EXPECT_FALSE(target.mounts.has("/c2@linux/arm64"));
  EXPECT_EQ(target.most_mount_bytes, std::uint64_t{3} << 30);
  EXPECT_EQ(parse_cache_target("type=local,dest=d,mounts-max-size=500MB").most_mount_bytes, 500'000'000u);
}

TEST(CacheSpecs, MistakesOfMountsAreTold) {
  const auto refusal = [](const char* text) { return refusal_of(parse_cache_target, text); };
  EXPECT_THAT(refusal("type=local,dest=d,\"mounts=a,\""), HasSubstr("an id is empty"));
  EXPECT_THAT(refusal("type=inline,mounts=true"), HasSubstr("mounts"));
  for (const char* size : {"x", "5XB", "-1", "99999999999999999999", "9999999999TB", "1kk"})
    EXPECT_THAT(refusal(concat("type=local,dest=d,mounts-max-size=", size).c_str()), HasSubstr("is no size"))
        << size;
  EXPECT_THAT(refusal("type=local,dest=d,mount=true"), HasSubstr("did you mean mounts?"));
}

TEST(CacheSpecs, MistakesOfSourcesAreTold) {
  const auto refusal = [](const char* text) { return refusal_of(parse_cache_source, text); };
  EXPECT_THAT(refusal("type=local"), HasSubstr("src= is missing: type=local,src=DIRECTORY"));
  EXPECT_THAT(refusal("type=local,dest=d"), HasSubstr("write src=DIRECTORY"));
  EXPECT_THAT(refusal("type=local,src=d,digest=1"), HasSubstr("is no digest"));
  EXPECT_THAT(refusal("type=inline"), HasSubstr("type=registry,ref=IMAGE"));
  EXPECT_THAT(refusal("type=registy,ref=a"), HasSubstr("did you mean registry?"));
  EXPECT_THAT(refusal("type=registry,rref=a"), HasSubstr("ref= is missing"));
  EXPECT_THAT(refusal("type=registry,ref=a,requird=true"), HasSubstr("did you mean required?"));
  EXPECT_THAT(refusal("type=registry,ref=A B"), HasSubstr("--cache-from: "));
}

TEST(CacheSpecs, MistakesOfTargetsAreTold) {
  const auto refusal = [](const char* text) { return refusal_of(parse_cache_target, text); };
  EXPECT_THAT(refusal("type=local,dest=d,mode=all"), HasSubstr("mode=all is neither min nor max"));
  EXPECT_THAT(refusal("type=inline,mode=max"), HasSubstr("type=registry,ref=REF,mode=max"));
  EXPECT_THAT(refusal("type=registry,ref=a,image-manifest=true,oci-mediatypes=false"),
              HasSubstr("needs oci-mediatypes=true"));
  EXPECT_THAT(refusal("type=local,src=d"), HasSubstr("write dest=DIRECTORY"));
  EXPECT_THAT(refusal("type=registry,ref=a,compression=lzma"), HasSubstr("unknown compression"));
  EXPECT_THAT(refusal(""), HasSubstr("--cache-to: empty value"));
}

}  // namespace
}  // namespace slipway
