--- Calls: what marshal, the handler and unmarshal make of them, and how long they last.

local cluster = require "silly.net.cluster"
local helper = require "spec.helper"
local logger = require "silly.logger"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"

describe("cluster.call", function()
	before_each(node.before)
	after_each(node.after)

	it("C1: gives the answer and nothing else", async(function()
		local peer = node.pair()
		assert.equal(2, select("#", cluster.call(peer, 1, "hi")))
		assert.same({ "r:hi", nil }, { cluster.call(peer, 1, "hi") })
	end))

	it("hands marshal and unmarshal the kind, the command and the body, and no more", async(function()
		local seen = {}
		node.serve({
			marshal = function(...)
				seen[#seen + 1] = { "marshal", select("#", ...), ... }
				local _, _, body = ...
				return 7, body
			end,
			unmarshal = function(...)
				seen[#seen + 1] = { "unmarshal", select("#", ...), ... }
				local _, _, data = ...
				return data
			end,
		})
		local peer = node.pair()
		cluster.call(peer, "name", "hi")
		assert.same({
			{ "marshal", 3, "request", "name", "hi" },
			{ "unmarshal", 3, "request", 7, "hi" },
			{ "marshal", 3, "response", 7, "r:hi" },
			{ "unmarshal", 3, "response", "name", "r:hi" },
		}, seen)
	end))

	it("C2: a handler that returns nil: marshal is asked, says no, and the caller times out", async(function()
		local asked
		node.serve({
			call = function(_, _, body)
				return body == "again" and "yes" or nil
			end,
			marshal = function(kind, cmd, body)
				if kind == "response" and body == nil then
					asked = true
					return nil, "nothing"
				end
				return cmd, body
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "hi", 60) })
		assert.is_true(asked)
		assert.equal("", log.text())
		assert.equal("yes", (cluster.call(peer, 1, "again")))
	end))

	it("C2: a handler that returns nil: a marshal that raises is no error either", async(function()
		logger.setlevel(logger.DEBUG)
		node.serve({
			call = function() end,
			marshal = function(_, cmd, body)
				return cmd, "x" .. body
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "hi", 60) })
		assert.same({ 0, 0, 0 }, { log.count("I"), log.count("W"), log.count("E") })
		local _, told = log.text():gsub(" D %[cluster%] 127.0.0.1:%d+, session %d+ cmd 1: no answer: ", "")
		assert.equal(1, told)
	end))

	it("C2: a handler that returns nil: what marshal makes of it is sent", async(function()
		node.serve({
			call = function() end,
			marshal = function(_, cmd, body)
				return cmd, body or "made up"
			end,
		})
		assert.equal("made up", (cluster.call(node.pair(), 1, "hi")))
	end))

	it("C3: false is an answer like any other", async(function()
		node.serve({
			call = function()
				return false
			end,
			marshal = function(_, cmd, body)
				return cmd, tostring(body)
			end,
			unmarshal = function(_, _, data)
				if data == "false" then
					return false
				end
				return data
			end,
		})
		local peer = node.pair()
		local answer, why = cluster.call(peer, 1, "hi")
		assert.is_false(answer)
		assert.is_nil(why)
	end))

	it("C4: a handler that raises costs its own caller a timeout, and the log a traceback", async(function()
		node.serve({
			call = function(_, _, body)
				if body == "bad" then
					error("broken handler")
				end
				return "fine"
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "bad", 60) })
		assert.equal("fine", (cluster.call(peer, 1, "good")))
		assert.equal(1, log.count("E"))
		assert.truthy(log.text():find("cluster_call_spec.lua:%d+: broken handler"))
		assert.truthy(log.text():find("stack traceback"))
	end))

	it("C5: an answer that comes too late disturbs nobody", async(function()
		local late
		node.serve({
			call = function(_, _, body)
				if body == "slow" then
					time.sleep(80)
					late = true
				end
				return "r:" .. body
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "slow", 30) })
		assert.equal("r:next", (cluster.call(peer, 1, "next")))
		node.eventually(function()
			return late
		end, "the late answer")
		assert.equal("r:last", (cluster.call(peer, 1, "last")))
		assert.equal("", log.text())
	end))

	it("C6: a marshal that says no is told to the caller, word for word", async(function()
		local peer = node.pair()
		node.serve({
			marshal = function()
				return nil, "mfail"
			end,
		})
		assert.same({ nil, "mfail" }, { cluster.call(peer, 1, "hi") })
		node.serve({
			marshal = function()
				return false
			end,
		})
		assert.same({ nil, nil }, { cluster.call(peer, 1, "hi") })
	end))

	it("C7: what the request's marshal or the answer's unmarshal raises is raised in the caller", async(function()
		local peer = node.pair()
		node.serve({
			marshal = function()
				error("no marshal", 0)
			end,
		})
		assert.same({ false, "no marshal" }, { pcall(cluster.call, peer, 1, "hi") })
		node.serve({
			unmarshal = function(kind, _, data)
				if kind == "response" then
					error("no unmarshal", 0)
				end
				return data
			end,
		})
		assert.same({ false, "no unmarshal" }, { helper.protect(cluster.call, peer, 1, "hi") })
		node.serve()
		assert.equal("r:fine", (cluster.call(peer, 1, "fine")))
	end))

	it("C8: an unmarshal that says no to the answer is told to the caller", async(function()
		node.serve({
			unmarshal = function(kind, _, data)
				if kind == "response" then
					return nil, "badresp"
				end
				return data
			end,
		})
		assert.same({ nil, "badresp" }, { cluster.call(node.pair(), 1, "hi") })
	end))

	for _, nothing in ipairs({ "nil", "false" }) do
		it("C9: an unmarshal that gives " .. nothing .. " for the request costs the caller a timeout", async(function()
			local handled
			node.serve({
				unmarshal = function()
					if nothing == "nil" then
						return nil, "unreadable"
					end
					return false, "unreadable"
				end,
				call = function()
					handled = true
				end,
			})
			assert.same({ nil, "timeout" }, { cluster.call(node.pair(), 9, "hi", 60) })
			assert.is_nil(handled)
			assert.equal(1, log.count("E"))
			assert.truthy(log.text():find("%[cluster%] 127.0.0.1:%d+, session %d+ cmd 9: unmarshal returned no body for "
				.. "the request's %d+ bytes, because: unreadable\n"))
		end))
	end

	it("C19: calls back through the accepted peer, also inside a handler and inside accept", async(function()
		local accepted, greeting
		node.serve({
			accept = function(peer)
				accepted = peer
				greeting = cluster.call(peer, 1, "welcome")
			end,
			call = function(peer, _, body)
				local depth = tonumber(body)
				if depth and depth > 0 then
					return body .. cluster.call(peer, 1, tostring(depth - 1))
				end
				return "r:" .. body
			end,
		})
		local peer = node.pair()
		assert.equal("4321r:0", (cluster.call(peer, 1, "4")))
		assert.equal("r:server", (cluster.call(accepted, 1, "server")))
		node.eventually(function()
			return greeting == "r:welcome"
		end, "the call inside accept")
	end))

	it("C21: each of many callers gets its own answer", async(function()
		node.serve({
			call = function(_, _, body)
				time.sleep(tonumber(body) % 7 * 5)
				return "r:" .. body
			end,
		})
		local peer = node.pair()
		local results = node.crowd(300, function(index)
			return cluster.call(peer, 1, tostring(index))
		end)
		for index = 1, 300 do
			assert.equal("r:" .. index, results[index][1])
		end
	end))

	it("a slow handler does not delay the next request, and all start in order", async(function()
		local started, ended = {}, {}
		node.serve({
			call = function(_, _, body)
				started[#started + 1] = body
				if body:find("slow") then
					time.sleep(60)
				end
				ended[#ended + 1] = body
				return body
			end,
		})
		local peer = node.pair()
		local order = { "slow1", "fast1", "slow2", "fast2" }
		node.crowd(4, function(index)
			return cluster.call(peer, 1, order[index])
		end)
		assert.same(order, started)
		assert.same({ "fast1", "fast2" }, { ended[1], ended[2] })
	end))

	it("takes its deadline from serve, and from its fourth argument", async(function()
		local handlers = {}
		node.serve({
			timeout = 50,
			call = function()
				handlers[#handlers + 1] = task.running()
				task.wait()
			end,
		})
		local peer = node.pair()
		local took, answer, why = node.timed(cluster.call, peer, 1, "x")
		assert.same({ nil, "timeout" }, { answer, why })
		assert.is_true(took >= 49 and took < 1000, took)
		took, answer, why = node.timed(cluster.call, peer, 1, "x", 150)
		assert.same({ nil, "timeout" }, { answer, why })
		assert.is_true(took >= 149 and took < 1500, took)
		for _, handler in ipairs(handlers) do
			task.wakeup(handler)
		end
	end))

	it("counts its deadline from the call on, over a dial that gets no answer", async(function()
		local server = raw.silent_server()
		local peer = { addr = server.addr }
		local took, answer, why = node.timed(cluster.call, peer, 1, "x", 80)
		assert.same({ nil, "timeout" }, { answer, why })
		assert.is_true(took >= 79 and took < 1000, took)
		cluster.close(peer)
	end))

	it("serve again replaces everything at once, on living connections too", async(function()
		local peer = node.pair()
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		node.serve({
			call = function(_, _, body)
				node.serve({
					unmarshal = function(_, _, data)
						return "third:" .. data
					end,
				})
				return "second:" .. body
			end,
		})
		assert.equal("third:second:x", (cluster.call(peer, 1, "x")))
		assert.equal("third:r:third:x", (cluster.call(peer, 1, "x")))
	end))

	it("any table with an address is a peer, and keeps what the script puts there", async(function()
		local listener = node.listen()
		local peer = { addr = listener.addr, mine = 5 }
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.equal(5, peer.mine)
		assert.is_number(peer.fd)
		cluster.close(peer)
		assert.is_nil(peer.fd)
	end))

	it("keeps a handler that nobody else knows until it has ended", async(function()
		local woken = false
		node.serve({
			call = function()
				local sentinel = setmetatable({}, { __mode = "k" })
				sentinel[task.running()] = true
				time.after(50, function()
					collectgarbage()
					collectgarbage()
					local waits = next(sentinel)
					if waits then
						woken = true
						task.wakeup(waits, "late")
					end
				end)
				return task.wait()
			end,
		})
		local peer = node.pair()
		assert.equal("late", (cluster.call(peer, 1, "hi")))
		assert.is_true(woken)
	end))

	it("makes one connection for any number of tables with one address", async(function()
		local accepts = 0
		node.serve({
			accept = function()
				accepts = accepts + 1
			end,
		})
		local listener = node.listen()
		local last
		for _ = 1, 20 do
			last = { addr = listener.addr }
			assert.equal("r:hi", (cluster.call(last, 1, "hi")))
		end
		assert.equal(1, accepts)
		cluster.close(last)
		assert.same({ nil, "peer closed" }, { cluster.call(last, 1, "hi") })
		-- Another table is another handle.
		local other = { addr = listener.addr }
		assert.equal("r:hi", (cluster.call(other, 1, "hi")))
		cluster.close(other)
	end))
end)
