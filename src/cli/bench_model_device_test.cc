// A model as `rsr bench model --device` measures it, on the emulated device.
#include "cli/bench_model_device.h"

#include <gtest/gtest.h>

#include "cli/bench_model.h"
#include "cli/bench_model_output.h"
#include "cli/bench_model_subject.h"
#include "cuda/test_device.h"
#include "model/tiny_model.h"

namespace rsr::cli {
namespace {

class DeviceModelBench : public testing::Test {
 protected:
  DeviceModelBench() {
    cuda::add_backend(&cuda::emulated::backend());
    tiny_.write(directory_.path());
    options_.model = "tiny";
    options_.repeats = 2;
    options_.prompt_repeats = 1;
  }

  std::vector<ModelBenchRecord> measure() {
    Context context = Context::create({.threads = 1}).value();
    model::Model model = model::load_model(context.impl(), directory_.path()).value();
    if (scan_) model.head_scan = linear::make_head_scan_form(context.impl(), model.head.view);
    const ModelSubject subject = {std::move(context), std::move(model), {5}, {1, 7}, {2}, 0.5};
    const auto device = cuda::Device::open("emulated").value();
    auto on_device =
        ModelOnDevice::create(subject.context.impl(), device, subject.model, 4096).value();
    layer_bytes_ = static_cast<double>(on_device.layer_bytes());
    head_bytes_ = static_cast<double>(subject.model.head.bytes());
    auto records = bench_model(options_, subject, &on_device);
    EXPECT_TRUE(records.ok()) << records.status().message();
    return std::move(records).value();
  }

  model::TempDirectory directory_;
  model::TinyModel tiny_{{.layers = 1, .positions = 64}};
  ModelBenchOptions options_;
  bool scan_ = false;
  double layer_bytes_ = 0;
  double head_bytes_ = 0;
};

TEST_F(DeviceModelBench, EveryLengthIsARecord) {
  const auto records = measure();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].step, ModelStep::prefill);
  EXPECT_EQ(records[1].step, ModelStep::decode);
  EXPECT_EQ(records[2].context, 7);
  EXPECT_EQ(records[3].guesses, 2);
  for (const ModelBenchRecord& r : records) {
    EXPECT_EQ(r.device, "emulated:0, emulated on the host");
    EXPECT_EQ(r.format, "t2");
    EXPECT_GT(r.median_seconds, 0);
    EXPECT_GT(r.copy_bytes_per_second, 0);
    EXPECT_EQ(r.r4_bytes_per_second, 0);
  }
}

TEST_F(DeviceModelBench, ATokenReadsLayersHeadAndCache) {
  const auto records = measure();
  const model::TinySizes& sizes = tiny_.sizes;
  const auto position = static_cast<double>(2 * 2 * sizes.layers * sizes.kv_heads * sizes.head_dim);
  EXPECT_DOUBLE_EQ(records[1].bytes_per_token, layer_bytes_ + head_bytes_ + position);
  EXPECT_DOUBLE_EQ(records[2].bytes_per_token, layer_bytes_ + head_bytes_ + 7 * position);
  EXPECT_DOUBLE_EQ(share(records[1]), records[1].bytes_per_token / records[1].median_seconds /
                                          records[1].copy_bytes_per_second);
}

TEST_F(DeviceModelBench, TokensMayBeChosenByAScan) {
  scan_ = true;
  const auto records = measure();
  EXPECT_TRUE(records[0].head_scanned);
  EXPECT_GE(records[1].head_candidates, 1);
  EXPECT_TRUE(records[3].head_scanned);  // of several states, too
}

TEST_F(DeviceModelBench, PageAndJsonNameTheDevice) {
  const auto records = measure();
  const std::string page = model_page(records);
  EXPECT_NE(page.find("emulated:0, emulated on the host, sm_90"), std::string::npos) << page;
  EXPECT_NE(page.find("copy GB/s"), std::string::npos);
  EXPECT_EQ(page.find("linears"), std::string::npos);
  const auto json = to_json(records[1]);
  EXPECT_EQ(json["device"], "emulated:0, emulated on the host");
  EXPECT_TRUE(json["linears_s"].is_null());
  EXPECT_GT(json["decode_tok_s"], 0);
  EXPECT_GT(json["copy_gb_per_s"], 0);
}

}  // namespace
}  // namespace rsr::cli
