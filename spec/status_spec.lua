--- A node that answers the status command beside its own.

local cluster = require "silly.net.cluster"
local json = require "silly.internal.json"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local status = require "silly.status"
local wire = require "spec.support.wire"

--- A conf whose codec takes nothing but lower-case letters, and so no status.
local function picky()
	return {
		marshal = function(kind, cmd, body)
			return cmd, kind .. ":" .. body
		end,
		unmarshal = function(_, _, data)
			return data:match("^[%l:]+$")
		end,
		call = function(_, _, body)
			return body == "fail" and error("it fails") or body
		end,
		timeout = 3000,
	}
end

describe("status", function()
	before_each(node.before)
	after_each(node.after)

	--- What a raw peer is answered.
	local function ask(peer, cmd, data)
		peer:send(wire.request(1, cmd, data))
		return assert(peer:frame(), "no answer").data
	end

	it("is answered beside what the node answers", async(function()
		cluster.serve(status.wrap(picky()))
		local peer = raw.connect(node.listen().addr)
		assert.equal("response:abc", ask(peer, 5, "abc"))
		local report = assert(json.decode(ask(peer, status.COMMAND, "")))
		assert.equal(require("silly").pid, report.pid)
		assert.same({ peer:name(), false, true, 1 }, {
			report.peers[1].name, report.peers[1].dials, report.peers[1].connected, report.peers[1].requests,
		})
		for name in pairs(cluster.stats()) do
			assert.is_number(report.stats[name], name)
		end
	end))

	it("is answered under a number of the node's choice, and then not under the usual one", async(function()
		cluster.serve(status.wrap(picky(), 77))
		local peer = raw.connect(node.listen().addr)
		assert.is_table((json.decode(ask(peer, 77, "")) or {}).stats)
		assert.equal("response:abc", ask(peer, status.COMMAND, "abc"))
	end))

	it("counts requests and times by command, also those that fail", async(function()
		cluster.serve(status.wrap(picky()))
		local peer = raw.connect(node.listen().addr)
		ask(peer, 4001, "abc")
		ask(peer, 4001, "abc")
		peer:send(wire.request(1, 4001, "fail"))
		node.eventually(function()
			return log.text():find("it fails", 1, true)
		end, "the failure is logged")
		local found
		for _, command in ipairs(status.report().commands) do
			found = command.name == "4001" and command or found
		end
		assert.equal(3, found.requests)
		local handled = 0
		for index = 2, #found.took, 2 do
			handled = handled + found.took[index]
		end
		assert.equal(2, handled)
	end))

	it("fits one answer and bounded memory, however many commands strangers send", async(function()
		cluster.serve(status.wrap(picky()))
		local peer = raw.connect(node.listen().addr)
		for cmd = 10000, 10999 do
			peer:send(wire.request(cmd, cmd, "abc"))
		end
		assert.equal(1000, #peer:frames(1000))
		local text = ask(peer, status.COMMAND, "")
		local report = assert(json.decode(text))
		assert.equal(16, #report.commands)
		assert.is_true(report.commands_left_out <= 256 + 1 - 16)
		assert.equal("other", report.commands[1].name)
		assert.is_true(report.commands[1].requests >= 1000 - 256)
	end))

	it("leaves the conf as it is, and its mistakes to serve", function()
		local conf = picky()
		local call = conf.call
		status.wrap(conf)
		assert.equal(call, conf.call)
		conf.call = nil
		assert.has_error(function()
			cluster.serve(status.wrap(conf))
		end, "cluster.serve: option 'call' must be a function, got nil")
		conf.call, conf.tiemout = call, 1
		assert.has_error(function()
			cluster.serve(status.wrap(conf))
		end, "cluster.serve: unknown option 'tiemout' (did you mean 'timeout'?)")
		assert.has_error(function()
			status.wrap(7)
		end, "status.wrap: the conf must be a table, got number 7")
		assert.has_error(function()
			status.wrap(picky(), -1)
		end, "status.wrap: the command must be between 0 and 4294967295, got number -1")
	end)
end)
