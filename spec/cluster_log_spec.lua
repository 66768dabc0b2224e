--- What the cluster tells the log: debug for what is normal, error for what is not, each line with
--- the other end's address.

local cluster = require "silly.net.cluster"
local logger = require "silly.logger"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local time = require "silly.time"
local wire = require "spec.support.wire"

describe("the cluster's log", function()
	before_each(node.before)
	after_each(node.after)

	local function says(pattern)
		return function()
			return log.text():find(pattern) ~= nil
		end
	end

	it("has connects, accepts and closes at debug", async(function()
		logger.setlevel(logger.DEBUG)
		node.serve()
		local listener = node.listen()
		local address = listener.addr:gsub("%p", "%%%0")
		local peer = cluster.connect(listener.addr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.truthy(log.text():find(" D %[cluster%] connected to " .. address .. "\n"))
		local remote = log.text():match(" D %[cluster%] accepted (127.0.0.1:%d+)\n")
		assert.is_string(remote)
		cluster.close(peer)
		assert.truthy(log.text():find(" D %[cluster%] closing " .. address .. "\n"))
		remote = remote:gsub("%p", "%%%0")
		node.eventually(says(" D %[cluster%] " .. remote .. " is gone: closed in order %(0%)\n"), "the end")
		assert.same({ 0, 0, 0 }, { log.count("I"), log.count("W"), log.count("E") })
	end))

	it("says nothing of them at info", async(function()
		node.serve()
		local peer = node.pair()
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		cluster.close(peer)
		assert.equal("", log.text())
	end))

	it("has why a connection was lost", async(function()
		logger.setlevel(logger.DEBUG)
		node.serve()
		local client = raw.connect(node.listen().addr)
		local name = client:name():gsub("%p", "%%%0")
		node.eventually(says("accepted " .. name), "the accept")
		client:reset()
		node.eventually(says(" D %[cluster%] " .. name .. " is gone: Connection reset by peer %(104%)\n"), "the end")
	end))

	it("has refused frames at error, with whose they were", async(function()
		node.serve()
		local client = raw.connect(node.listen().addr)
		client:send("\0\1x")
		assert.is_true(client:has_ended())
		assert.truthy(log.text():find(" E %[cluster%] closing " .. client:name():gsub("%p", "%%%0") .. ": "))
		assert.equal(1, log.count("E"))
	end))

	for _, case in ipairs({
		{ "call", "request", ", session 1 cmd 7" },
		{ "accept", "accept" },
		{ "close", "close" },
		{ "unmarshal", "request", ", session 1 cmd 7" },
		{ "marshal", "request", ", session 1 cmd 7" },
	}) do
		local callback, duty, which = case[1], case[2], case[3] or ""
		it("has a failed " .. callback .. " at error, with whose it was", async(function()
			local conf = {
				[callback] = function(kind, _, body)
					if kind == "request" and callback == "marshal" then
						return 1, body
					end
					error("broken " .. callback)
				end,
			}
			if callback == "unmarshal" then
				local broken = conf.unmarshal
				conf.unmarshal = function(kind, cmd, data)
					return kind == "response" and data or broken(kind, cmd, data)
				end
			end
			node.serve(conf)
			local client = raw.connect(node.listen().addr)
			client:send(wire.request(1, 7, "x"))
			local name = client:name()
			if callback == "close" then
				client:close()
			end
			local text = (" E [cluster] %s of %s%s failed: "):format(duty, name, which):gsub("%p", "%%%0")
			node.eventually(says(text .. ".-broken " .. callback), "the line")
			assert.equal(1, log.count("E"))
		end))
	end

	it("says which request it was also after an endless recursion and a wait", async(function()
		local function forever()
			return 1 + forever()
		end
		node.serve({
			call = function(_, cmd)
				time.sleep(1)
				return cmd == 8 and forever() or error("after a wait")
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(3, 8, "x") .. wire.request(4, 4294967295, "x"))
		node.eventually(says(", session 3 cmd 8 failed: [^\n]*stack overflow"), "the recursion")
		node.eventually(says(", session 4 cmd 4294967295 failed: [^\n]*after a wait"), "the error")
	end))

	it("has what unmarshal does not decode: an answer at debug, since the caller is told", async(function()
		node.serve({
			unmarshal = function(kind, _, data)
				return kind == "request" and data or nil
			end,
		})
		local peer, listener = node.pair()
		logger.setlevel(logger.DEBUG)
		assert.same({ n = 2 }, { n = select("#", cluster.call(peer, 9, "x")) })
		logger.setlevel(logger.INFO)
		assert.truthy(log.text():find((" D [cluster] %s, cmd 9: unmarshal returned no body for the answer's "
			.. "3 bytes, and no reason\n"):format(listener.addr), 1, true), log.text())
	end))
end)
