var stats = {
    type: "GROUP",
    name: "All Requests",
    path: "",
    pathFormatted: "group_missing-name--1146707516",
    stats: {
        name: "All Requests",
        "numberOfRequests": {
            "total": "1000",
            "ok": "991",
            "ko": "9"
        },
        "minResponseTime": {
            "total": "4",
            "ok": "4",
            "ko": "4"
        },
        "maxResponseTime": {
            "total": "165",
            "ok": "165",
            "ko": "-"
        },
        "meanResponseTime": {
            "total": "35",
            "ok": "35",
            "ko": "-"
        },
        "standardDeviation": {
            "total": "12",
            "ok": "12",
            "ko": "-"
        },
        "percentiles1": {
            "total": "32",
            "ok": "32",
            "ko": "-"
        },
        "percentiles2": {
            "total": "45",
            "ok": "45",
            "ko": "-"
        },
        "percentiles3": {
            "total": "71",
            "ok": "71",
            "ko": "-"
        },
        "percentiles4": {
            "total": "98",
            "ok": "98",
            "ko": "-"
        },
        "group1": {
            name: "t < 50 ms",
            "htmlName": "t < 50 ms",
            "count": 809,
            "percentage": 81
        },
        "group2": {
            name: "50 ms <= t < 100 ms",
            "htmlName": "50 ms <= t < 100 ms",
            "count": 173,
            "percentage": 17
        },
        "group3": {
            name: "t >= 100 ms",
            "htmlName": "t >= 100 ms",
            "count": 9,
            "percentage": 1
        },
        "group4": {
            name: "failed",
            "htmlName": "failed",
            "count": 9,
            "percentage": 1
        },
        "meanNumberOfRequestsPerSecond": {
            "total": "23.981",
            "ok": "23.765",
            "ko": "0.216"
        }
    },
    contents: {
        "req_0": {
            type: "REQUEST",
            name: "create job",
            path: "create job",
            pathFormatted: "req_0",
            stats: {
                name: "create job",
                "numberOfRequests": {
                    "total": "700",
                    "ok": "691",
                    "ko": "9"
                },
                "minResponseTime": {
                    "total": "11",
                    "ok": "11",
                    "ko": "11"
                },
                "maxResponseTime": {
                    "total": "165",
                    "ok": "165",
                    "ko": "-"
                },
                "meanResponseTime": {
                    "total": "42",
                    "ok": "42",
                    "ko": "-"
                },
                "standardDeviation": {
                    "total": "12",
                    "ok": "12",
                    "ko": "-"
                },
                "percentiles1": {
                    "total": "39",
                    "ok": "39",
                    "ko": "-"
                },
                "percentiles2": {
                    "total": "50",
                    "ok": "50",
                    "ko": "-"
                },
                "percentiles3": {
                    "total": "77",
                    "ok": "77",
                    "ko": "-"
                },
                "percentiles4": {
                    "total": "101",
                    "ok": "101",
                    "ko": "-"
                },
                "group1": {
                    name: "t < 50 ms",
                    "htmlName": "t < 50 ms",
                    "count": 512,
                    "percentage": 73
                },
                "group2": {
                    name: "50 ms <= t < 100 ms",
                    "htmlName": "50 ms <= t < 100 ms",
                    "count": 170,
                    "percentage": 24
                },
                "group3": {
                    name: "t >= 100 ms",
                    "htmlName": "t >= 100 ms",
                    "count": 9,
                    "percentage": 1
                },
                "group4": {
                    name: "failed",
                    "htmlName": "failed",
                    "count": 9,
                    "percentage": 1
                },
                "meanNumberOfRequestsPerSecond": {
                    "total": "16.787",
                    "ok": "16.571",
                    "ko": "0.216"
                }
            }
        },
        "req_1": {
            type: "REQUEST",
            name: "list jobs",
            path: "list jobs",
            pathFormatted: "req_1",
            stats: {
                name: "list jobs",
                "numberOfRequests": {
                    "total": "300",
                    "ok": "300",
                    "ko": "0"
                },
                "minResponseTime": {
                    "total": "4",
                    "ok": "4",
                    "ko": "-"
                },
                "maxResponseTime": {
                    "total": "62",
                    "ok": "62",
                    "ko": "-"
                },
                "meanResponseTime": {
                    "total": "17",
                    "ok": "17",
                    "ko": "-"
                },
                "standardDeviation": {
                    "total": "12",
                    "ok": "12",
                    "ko": "-"
                },
                "percentiles1": {
                    "total": "16",
                    "ok": "16",
                    "ko": "-"
                },
                "percentiles2": {
                    "total": "22",
                    "ok": "22",
                    "ko": "-"
                },
                "percentiles3": {
                    "total": "32",
                    "ok": "32",
                    "ko": "-"
                },
                "percentiles4": {
                    "total": "46",
                    "ok": "46",
                    "ko": "-"
                },
                "group1": {
                    name: "t < 50 ms",
                    "htmlName": "t < 50 ms",
                    "count": 297,
                    "percentage": 99
                },
                "group2": {
                    name: "50 ms <= t < 100 ms",
                    "htmlName": "50 ms <= t < 100 ms",
                    "count": 3,
                    "percentage": 1
                },
                "group3": {
                    name: "t >= 100 ms",
                    "htmlName": "t >= 100 ms",
                    "count": 0,
                    "percentage": 0
                },
                "group4": {
                    name: "failed",
                    "htmlName": "failed",
                    "count": 0,
                    "percentage": 0
                },
                "meanNumberOfRequestsPerSecond": {
                    "total": "7.194",
                    "ok": "7.194",
                    "ko": "0.0"
                }
            }
        }
    }
}

function fillStats(stat){
    $("#numberOfRequests").append(stat.numberOfRequests.total);
}
