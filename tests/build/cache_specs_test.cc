#include "build/cache_specs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

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
  EXPECT_EQ(target.s3.credentials.secret_key.reveal(), "s");
  EXPECT_TRUE(target.all_steps);
  EXPECT_THAT(refusal_of(parse_cache_source, "type=s3,bucket=b,region=r,name=a;b"),
              HasSubstr("names several"));
  EXPECT_THAT(refusal_of(parse_cache_source, "type=s3,bucket=b,region=r,endpoint_url=x"),
              HasSubstr("no http"));
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
