--- Durations counted by size.

local histogram = require "silly.internal.histogram"

describe("a histogram", function()
	it("gives percentiles that are at most 9 % too long", function()
		local durations = histogram.new()
		for microseconds = 1, 10000 do
			durations:add(microseconds)
		end
		for _, share in ipairs { 0.01, 0.5, 0.9, 0.99, 0.999 } do
			local exact, told = share * 10000, durations:percentile(share)
			assert.is_true(told >= exact and told <= exact * 1.092, ("%s: %s"):format(share, told))
		end
		assert.equal(10000, durations:percentile(1))
		assert.equal(10000, durations.longest)
	end)

	it("counts what is shorter or longer than its classes", function()
		local durations = histogram.new()
		assert.equal(0, durations:percentile(0.5))
		durations:add(0)
		assert.equal(0, durations:percentile(0.5))
		durations:add(1e12)
		assert.equal(2, durations.count)
		assert.equal(1e12, durations.longest)
	end)

	it("tells what was counted between two lists", function()
		local durations = histogram.new()
		durations:add(100)
		local earlier = durations:export()
		assert.equal(0, histogram.between(earlier, earlier).count)
		durations:add(100)
		durations:add(5000)
		local between = histogram.between(durations:export(), earlier)
		assert.equal(2, between.count)
		assert.is_true(between:percentile(0.5) >= 100 and between:percentile(0.5) <= 109.2)
		assert.is_true(between.longest >= 5000 and between.longest <= 5460)
		assert.equal(3, histogram.between(durations:export()).count)
	end)

	it("has the classes that silly.status documents", function()
		local all = histogram.new()
		for _, microseconds in ipairs { 0, 1.05, 1030, 1110, 1120, 1.1e9, 1e12 } do
			all:add(microseconds)
		end
		assert.same({ 0, 2, 80, 2, 81, 1, 240, 2 }, all:export())
	end)
end)
