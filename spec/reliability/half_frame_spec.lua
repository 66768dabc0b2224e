--- The beginning of a frame whose rest does not come: it holds memory, and is not waited for without
--- end.

local cluster = require "silly.net.cluster"
local silly = require "silly"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

--- Seconds; the least that serve takes.
local SILENCE = 2

describe("half a frame", function()
	local closed

	before_each(function()
		node.before()
		closed = {}
		node.serve({
			keepalive = SILENCE,
			close = function(_, errno)
				closed[#closed + 1] = errno
			end,
		})
	end)
	after_each(node.after)

	it("costs its connection once nothing more has come for as long as keepalive says", async(function()
		local listener = node.listen()
		local stuck, quiet = raw.connect(listener.addr), raw.connect(listener.addr)
		quiet:send(wire.request(0, 1, "x"))
		assert.equal("r:x", quiet:frame().data)
		stuck:send(wire.request(0, 1, "x") .. wire.request(1, 1, "yy"):sub(1, -2))
		assert.equal("r:x", stuck:frame().data)
		local name = stuck:name()
		local began = time.monotonic()
		assert.is_true(stuck:has_ended())
		local took = time.monotonic() - began
		assert.is_true(took >= SILENCE * 1000 - 100 and took < SILENCE * 1000 + 1000, took)
		node.eventually(function()
			return #closed == 1
		end, "the close callback")
		assert.matches(("closing %s: the rest of a frame has not come for 2 s"):format(name), log.text(), 1, true)
		assert.same({ 110 }, closed)
		assert.equal(1, cluster.stats().connections_in)
		-- Between frames there is nothing to wait for.
		quiet:send(wire.request(1, 1, "z"))
		assert.equal("r:z", quiet:frame().data)
	end))

	it("is waited for while it grows", async(function()
		local client = raw.connect(node.listen().addr)
		local frame = wire.request(0, 1, "slow")
		local parts = 3
		local size = math.ceil(#frame / parts)
		for part = 1, parts do
			client:send(frame:sub((part - 1) * size + 1, part * size))
			if part < parts then
				assert.is_true(client:is_silent(SILENCE * 1000 * 0.7))
			end
		end
		assert.equal("r:slow", client:frame().data)
		assert.same({}, closed)
	end))

	it("does not outlive a connection that is closed", async(function()
		local listener = node.listen()
		local client = raw.connect(listener.addr)
		local before = cluster.stats().bytes_received
		client:send("\0\20half")
		node.eventually(function()
			return cluster.stats().bytes_received == before + 6
		end, "the half")
		client:close()
		node.eventually(function()
			return #closed == 1
		end, "the end")
		cluster.close(listener)
		assert.is_nil(silly.timeout())
	end))
end)
