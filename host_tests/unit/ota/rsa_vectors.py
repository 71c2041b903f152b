"""Signatures by a key made for these tests and thrown away, and one of NIST.

OFFER is signed by MODULUS. FORGED are what the private key made of blocks that are not quite
right, for the same message: each is accepted by a verifier that is lax in one way. NIST_* is the
only passing case of RSA-3072 with SHA-256 and e = 65537 in SigVer15_186-3.rsp (FIPS 186-3, in the
package cryptography-vectors); host_tests/bundle runs the whole file.
"""

from binascii import a2b_base64

MODULUS = a2b_base64(
    "mx3xz8I9gT90GaQoXw2fJ/M5NG5SYI0Sjr+z9iqwsUT+icd2pytr+TWMwaNwchMAf6h7tHhLv0ghpkPxjAbb9zkKwX/X"
    "bqBNE1WnkP71c5+vzuM5vPaTcA8LqDAy/tsYuJT1aJY+J1HRqkhj3O30jEzBGsmcrVD/ZIiwnOmhHihAlX8jbRoMdLvn"
    "d55O1M7tzOzYS6NlcdX9o++IIwlBy8DzzlMYu8YNvFMReai2jPefr7GKOhVAP1Tvl43nMS9JlsvQmeIiBIdpusssCwSn"
    "tfVlCfm3B6eBVUW4FSeNH6m2ff0oJedM/c/XKK4RzaghZvhrBNv8V2EI42nqVc4vjvtulnC6Z9ug8Awohue0hWP5U/2E"
    "bAnaNfzkkRotd8IkY5/+WvzSA+zzKZI4/B17FtrCkdQCV3SZTkvi8u1vHaKTG1GaZZJZEkYeCPvk89RtSsu22vswBL0T"
    "ew9y4p395h3ZlMsp0GGv4Ixct2ggiyCTFlBvkSHcCMtOxxVmgo2F")
SIGNATURE = (  # base64, as in an offer
    "LrRMoz2g5WQaCJmBGf0LK7fC/He7MYFiS6hT+ajupZyg7iHIGTFq9sHh7z27oCfrhv8/T54oiAUJBjxT6oRvXW5mxHSN"
    "1wlnV4u48zMeVj/yyFjWUEIQzFy8ubrCkG0J+ZDXjybNSUgMShqv0OnL2OMEa07LrwPdeJ5aM30WIlSEAYg7LT1VAmnf"
    "c4+FGvONwUdiEqqQrVquqfX06tawut/bNXDSJSAO+4vwlQxEu9Gb+DoGcC6QO2Z/PS8eFf8NGRF35TMN2Adq56rFaqoo"
    "rTfMX/Wmqa1AbBBwlq58ZWPGI+z/gZ10cw5EEeJhDvBaENk4itm0CEl+/AKWGL6FliNloLinfjvMO6CjSm9vrdTKriVi"
    "rAB4TlCqtBQj7WUiJ+nTGh3ZF5zrVAtiTSCWkVHJt3Tr9omB4Nv614LYYyaaWRkgpQBV8frYNeQUBH0XdSvlDzmXxSSz"
    "ww9Z+19zYoVHZxpYyFdDyX0FBat+zB6uVWPj+LJX5eASewo/VYJE")
FORCED_DOWNGRADE_SIGNATURE = (  # of OFFER with both flags
    "djE2rpA3qDvY5SDVvvLBsCpWwALsx/4T9KtyxAnjl+k9MFleiqaPMV0maEAjJ6mMIM3rx5SIQ7mq0T9/NX78D6SMtx8Q"
    "y6e0q+eMHoDBTh73TFPmAWMUyCI9pzUinSpQteDtj8bymMZQJQuXQqBNm+W1u1vMA0LTeR6LwNzgXeojm6QiITQh63p3"
    "LA4YUvb+bZzaJHtJaf9yh0MvewKC5FQr2jEIGjuKIudDXEmR8BrWqdB2SOIGG5bDYKoQV7DdJWtv8KpPnBpY6zp54lzj"
    "VoXdXV/dmkS7f0e39FGO+Ij1SaB+blj2ibc7KJ1bZVeeZaMQa4MDWTBn/0POU93qA0uGg95H5uhvCFrxlW91dBqlX4DM"
    "j0ZqG/a6gGOiY7ls8QXJYDBdajPR3+47v6Whb5K0x+0q0UKGsX0RKSoPk35jMAZK/PLMvGDFkYTlcGPrY3cbXPC2n3hS"
    "Pu/C1p7GtuNPQjYivVcYv6svEG+QUf6CbhocykzOIk2eZnjl2VVv")
OFFER = {
    "action": "offer",
    "request_id": "r1",
    "target": "app",
    "bundle": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "size": 61440,
    "version": "1.4.0",
    "floor": 7,
    "hw": "esp32,esp32c3",
    "mpy": 6,
    "key": "e8154b40",
    "sig": SIGNATURE,
}
FORGED = (
    ("garbage behind the hash",
     "jPl5fDAMe4cwtFEdQTjzew/3XN5FFZKs+HGhVcEF0CjlLBNd7mD+mLfiZIWRZgvbPBb2hnSL1x5v6MmjtV8V+twN1oC"
     "b4MvBvNfjBIt3JTftNi+FymGoR3uzChWW6sknIIveS+QoJcWdcThxIHui45RUfkqCajxvI38Qf1UtktCTNKjWlMWIVp"
     "X1j3CYnm1WcfWJ03OeOpg5Rn/cxytChdqTT9xaKFIMmBbgjj+3BK7WxXMhxqJDVjN4H3a868n1LgedGbznzXSkYo2Af"
     "8i2b7tgJHKMP/Bh95Tb26p+czbu1dib/fPcoI20Khmf9eBFypxUI6N3bQN5dNul1HSO+nuxZkYv/qFmsUGXl0ky+U+D"
     "qHuceL6IDpTD4w3skBpk0l2rnjA8oQAVczk69q92RDdsHIdyuCnCb82VdQ/AdTS+ndkrR1BtEmtkWtNVUhUVxhUEuvU"
     "kVLLRU8uyxbx2Fpj5LHuINyL/HheKYcob+pFKg/oPgh3E5DmbaEW8HnTe"),
    ("garbage within the padding",
     "cPagL1KAGca7ylYRJ5HMUWLz8xmrcLPQhp9R9u94kZIw22MZ+1KhOJ76bQswz0t88YhsBZcXxaSZzfyMSvnsWxjbTJj"
     "RDE//Xkmj/BhzY+ka8kdhKPtO64Sk5f7r4LE1i2Qdt7MCgfput07EKnVxdV1vM6ATvbdr8GWVbyUUC4F/h4MslwJtMu"
     "+tLcaoAKr4neqI90oDO4l7JIRUXhlQc8guJuyNuQuCs3SL2oQsvbbP9swfw521gWmycYsTLcdSJeTJUR1ZXcg4ysoSI"
     "gx4PzUeFsTmRpdjU68zua/AfEjvtUy9XnkkUHplG1tFyxT0LzMqiMBGHySn2jOWkOsr9qGlg44KW5MxmDuAaxf/SIGP"
     "H+W3k1rxsL4whHzxVYQ92aD6QioiOUaGu4mWYDCHF6GwQIZ368GPyBUv1G05o44ELYd4LK7ASgzI/4z2EYUO94QDIW+"
     "dwEryufUkEmAEvKa6SVboAJEF4aGfTrlSl2h40hWGjuWt3QDsIo6FJVKG"),
    ("block type 2",
     "BQrNNPWbh7aoaOSXpNrVBoZOq8ZOKLB/wgLrdVL2FVIoo7zu6YdZf9jlHbYGfhtCemyjQfMnjLeGE5Pe5SAW2r6iiow"
     "TfulWfrwN9BbxXRLIIbuYPzL/EQDixmjEGCEHrxV60iYt99LGunSeZ7BD26MSuesRj1YRtbaQolUadOLq5gb58QWTxF"
     "r1IpHz03bxNQhtqrT2OF9CnfA/f1Wv8TSlr++ZMC7XbqGuFYt3SEdvi+gUOOJtxoONdB4nvC+fL+I+zchRa+dShiUDi"
     "+5kY61j/EmCAoegMgDdDAU0iJLoP68g2mSSBf4NaWCE3YP75sJiNrGz6h8LgNFNnii4ekgAGS/MTobkL9QbKzs7aPq4"
     "eC9vXdZD/mxMcN2E2djD0rl/hq/Vv5O3R0UniMZ/3dtwrirLS6Rhm+sDel1WKOwvpwtfFsWXacPY5GdP4VAoYvL7aLd"
     "l6AGwk1qnm5tfuDCqKrWs1GFkptSfO3uC9yO7IY5sq7+xBQIZ2YDlisVM"),
    ("no NULL in the DigestInfo",
     "eJEG0M9BDImphdayuxU7gz1SJP98KGrk0b0JMMRQhTkA26C7DIRRG7zxBN9dnPs56LPxJ0KFADYwhxrgfCcqKA3oBzi"
     "mN5H3sW5V9UZ1qZDed1LZ1nAs+Hw4B70d37vPE314jKX9IH1lueP79FxdlEo2WKew7bl3yjukm+PMt4M1iP2WmxlQg/"
     "5BcKWRObT8WsPs5remEExn6EwFvYBFUOZ/JATDBvgLIMNWP7yezdho6AO3wZAxfzuUeaYEE/zWlZUYGSlk4mt0+k3Vy"
     "wtWjuG89otvGG3F9iVm+FBfAIm+VNOTRQOPHQBPVCNnj4gLR/ok6XjxJ+px5csr0eUJ0zrb4U4dqqcEYB8t9UwnhyyM"
     "3ofr8e6m8j18UjyFXuhbT94hgIrYL9sWi8fcA4W7aak4m9scEMl6WYWL+GfrO9RfYN1FaouCEM/euPpCFyTuxrpyNPM"
     "3zfxcnKja1eEzPHVHKmDHGe9Ep8gydGmxV0p2zosEAVffoQ+/xi7O67hO"),
    ("a long form of a length (BER)",
     "Huat/1RQMMqFNREl2fdBfdYYS9392BYn2kqlexyxLzo3vbcQ75RB/dSniaGjsh7SiNJBMvhqT6JY53L3cmdWMZStqTi"
     "bcMMi+UbX+oi4SXA6mKD+WY+adYSYlRoROMj5TWGqTif99UHGYqdLyynrD82Otemr6DQSwPKTWrE36rbDF9z3lHTEcB"
     "vE6+A4jfAOorrFvBKfZAGd3h+7CCkYZrAq3gbrHGMQYvSlrhAXVtYX4lNp4tF1wtL2fv+T8Yi07IAuMRq0Kx7IOC8gK"
     "tHA/X4Bt8MNljjgyEhTAQb7YRmsM7G9luSmyllG3a1uj16vMh5I+YX5dsn5mgfLYIsuyr6ajkT0csOpkdGW1eTvYUox"
     "WBd/zFwx6+1XR35XZWgV13ADkRYB33Y+mDoVzPFd2aEJQfhDpTc5FNhYWYx2sgaSe06dWu1UPaPH3IRpdcCKftszXmo"
     "cE1Pq7X8julj5F8iRTe5p17EeFkHSjcQuFCT7U4Jacmc4cNmIvduYqU/N"),
    ("garbage as parameters of the DigestInfo",
     "cnnYWN4x9PjZsBb+0+vuWinRBXwLfbIJCk7atL/zxHkR5B2m38lmTJ0gayMRAG9vJdhKMuUf9PhwcrO+gfujE67R01e"
     "/uA0Zamv7Rcu8k+rvDMbQOm4FOmcVOwdEtg2JEU1hLdn9f8q9dwReoDM7rfgyNtn6Q6Eu0uCS6iJYnp1Ofr5PQo9wTd"
     "J9xjHVlnLMJHomfbrWUzfNpa6Hz0SQSeE9AGI4TTd9jVWnE0NTGfK2Gur6boScp+4lNE6rf8p/DaRI3eiLRKYDqXjUg"
     "towWRaa4Ka+l0DYYIz+DmNEzR8HD0pYt8ZkYueaCPuXtdPEBfvvsJRJfdcjYZykYHIXl2T1u1InbORJGnYKmp/ijhon"
     "XV63DCxNFXaztEq35MFu1MGhuJ02YjNj/32xowJITtzG6m77MIRTWoauBUiBv6innb18i7if61AC5bsC5QEbxoMjDX+"
     "cmUSvf0T9hfEZ3fR2BHWj/LguZuM5mSDPflg9mgD2wWp91XIXq5Xt50y9"),
    ("SHA-1",
     "ZgPxdzo/nziQanqOJYa0MLlNG9slD7OAZNwFs7xc/wLZUmMwVQawTD1EfPhZrBTZcd2PnzAEuYsVwbraOpIGnBJRK8+"
     "LOtee7tla9SlmBDxJUat64KxCxr9LTnjpUTsS+XUQMb7jvclz4y5jHE7MsJVfgt5/2lXz9uA3C7umUC1Gf+pHbKpEIj"
     "QzkOukswJ5XRIZwJsuCQ/ngNpnIqkh1XqN66rpwHzYbjepzS5Z1OFBWlryGbpOl0ChQ6oWqZpYiFMCH9EONik+D0W8X"
     "Gc3bfz8hnR7XvgIzWYYx379/4Y3moElDNFwMKlxM9z8XsU1pfuUkBQeN2yIeDDEi1QV9M4emz7HLGpKNTZ0BcdUJZII"
     "sLATiDOqll97B6/h32NTsAy3imsWeyXnd5O69B17YSAZwebpi9oz9I8P1ewCaWIfc7lbClHOJWGNoATHl9iZkg1VVg/"
     "wX9t0r1he3Uv1hB+BqKUU0+XcL4MbBvXZKSdvqOHZXHMvAAx7c+nLqpPh"),
    ("SHA-512",
     "DgnswtBOvOl5+ldGCUm9qA/otSS5pYeyllDjOZgOrf+dBgZkZzcahxXbxIjY270si8O4vDGyG9EXqqNKPGEne/hqzEc"
     "zljKmkP0hvg+Xpsx7nfK6C95QU396Auh9hPWAAykm2HFHb9Pa/QdYtP07keNCdLt0KUskIxScAx0xQinMzT+vvJ+Ewj"
     "i/7oOjOL5phiMO5k4FrsNSCRONvXyw9sVg81doQ9Gw5t2Hig4PCkozbdwEnP7DGfIOB/5Ulsq25sOuYtkiUe7aRxCGu"
     "R1UfkVFu71VAI+q27n6iEO9hiJsqmCuVz0i7dHr6amvn1tohoe7y4F96xPrc5YlEsG2zGDOXLLuNzJ027nEOv8X+K5b"
     "fXzgOvP07zxcNnpDXgkK0tPF+gsSUTqY+EnMM0DyiwLiSJm12O4UDjfNaFOT1CKXlbu5f9za7VUUjQnXFQnKNXno4RT"
     "ps5rDYaup93ZndKH9gq6GPslMLkPearXNS2OV9Www1ARSeQKha5qTE7z6"),
    ("the bare hash",
     "laHa/4ia/0Zj2O249lw+m/9IwOnC42nln07E815Chq6Bi9e+rRxyWpOr/esk56RGRHmVBwypM73e3y3IQ6QQu1+GeZk"
     "+U1G5p5KWZFcbRVXx+clLyqRVCQe0DLwwmtDvGuO1ixGzFquTmBu6O51x5/lpgs5j6rpZkY27Wuors83oMg5LwDSvBo"
     "aoowcEXj9dQkLd98rrQElwyrcQTYVl81LjCeApNZgCGcPg2kBZBvRU5mGQp3MVl8BLVRyVJyCSz3JGZ5BSe6ZOeitqk"
     "69+f+76sghuQUjT9xffiD66puM1zWBImi4QlErwTNW/DmI0yzXxwenuich+JS/0OrDY4kKWYfITFNTmZe4hC6zSdWDf"
     "EM/AGHWvzEb1GfoVaIxYxc10DQoVhtMOxDF0u9EI6NvnQyK9pCiM00VfHvdpmL9wCiviSrjFGQQlutKk+P4AbHCuI4+"
     "HxF4LWKIztHy+/Z0cZGZ1chcffyI6xB1k+Fs1IPPo34IuhwxEpqgXp3j1"),
    ("PSS",
     "ViSO8rLLHdRutsmPl7y5m35m5QL2ijMnScJNhv835pVuwCdp6jpx4ICcN9XGkOlGigGIfv9aqyJqmh6VuLtSO5z1j/p"
     "5EuM0Tmfobvjtyn9wryWJ6RyimPn5uVKUY1G1DddJVGMcIsVt/V2dmLakog2L1WvdttgWv7JFVLAriBd28h3LZ8clXZ"
     "g3kfxMSrKo+WkGNCMOMswR5vl8vF9/uFoVc7IvqXoPVtUVqsXHETBMPjgRmPecDU1hbXa1NtLSmDs13lhdlpSMi+YdI"
     "Ly3n6fI3biAaiHRfdy8EMkctZRzlM5g0AhgZnDpmeSMxEVxkqOXbRbBm4ucdnXcziIzSm7YgWYH21+uFNx6EwGAKlLb"
     "eOREFlFZOf5J5NROE7q1xe2igXse7RrpvaN5HQbVII1jUWKWts8lqZKyW5IszO0b+lq49SCB6fZfgVncy1Ks/1mCknU"
     "jVxDMU0Q7yNcTgFGjyQZG4T/a1dMwENhQISvwgtaU5eYQcX0WP7AGXquc"),
    ("a cube root, for e = 3",
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAf//////////qrq7EARXWHV"
     "z5Hc0NHtSlXRFoYdPS79UXeeiEcZouhj78BdYJIc29hqy0nBtkxEXrb30Fad4JDISEm7nVGZhBAhUFSbaebgaqltLZf"
     "9iFhPpcZiug+wbQW0ZL0CPf3snc/CAM7Iw016GeHBVKsivgQRAvbtwDBT"),
)
NIST_MODULUS = a2b_base64(
    "8z0yNPEycsOytoIc5IBWY/8uiw0qR942PZf8nMh5zGtA+eU66mldxTig0rVYSYgpqsMn6svNiJ4XKzT5B0XF1Si36CYF"
    "8aWP0ijsf9S29Hbzk4ZPSNxHCXyKeAouzAL3SBONvX35nFLYIqLlFUxgR/sO609J2jjtyuPDLT/eQ18pH5bK0eCeEDCt"
    "fvtJRLaeB00NeWS+yzy4YjjY0pO+8wMNFB0UhovCH6Ez6d4RFfdJmRz4bvUG5mOsFisshWf/ExprRnpvVk1sWIhgvsvY"
    "iXA1QZjs3U8fS67o+L2vclWDU4X1ZzYl8RNVCxI2KKC+OZTZHDoZqC5dc0SNq/aE7meU+6eisa++4Ch+WhEYDCnOCJZ5"
    "XVKsf0CP4o6OkRb+C2GhCD+VxSJ9YtVTe1BAt54hs6joPCJb8+/rsvgIVB6X0ookaDWfxg9YjnT6rWESYgZGKKJdjWH5"
    "0D2LIcylFVlaryNDp1m3SmqK/v/KE5o4mqKBmVzRjhapz3t/8N3b")
NIST_MESSAGE = a2b_base64(
    "270J/3sccHwr1SAUrbt3POsUaqcmN8hyT1rDn7WlrMThi/4EvlmeP/4PYYa4cM/SVlUn9a5Go9BvS/zHvwAxciLohZWe"
    "A8ZTHaPVnhJ7Y/Jf+flDd9Y7NL/rbYk7RjbfZn2kmmFCcSBQOIVFAgW7BdCp6HnHDhoECd8dznCeRHM=")
NIST_SIGNATURE = a2b_base64(
    "Lk2YwQ4SblRNK3S7zwpPA/CB1HJaZmHAaD02ErAd2y3W8Dke82efOdwHhbN6wnXw1oQe06RP9/akB6CFEpoWT69j/yqu"
    "0Y7GpffSe0jQF6ULJMjEhZrSu2gKzl869X8urC1zN8DddAP/sui6xp39yY5ioHNUsvyT0D5JnuLRJmR+2roJQZa2k+mM"
    "uYrSgXuj9/UiyPeGtu+CYy71oA1dT0LbbSZwmQnKdRqoF0A3ySRiiFLOeOKClJPWx0HTVYrc9xNzRpd1TlXns76g2HF9"
    "qKuisodFJ6CzqNLhQzNE3Wu67h68f6NSU52UxrRfkVxpebjhi+iTTSjXcIBsb/iTZg3/0OlIqMzhGshwUH+Iwfhsqoda"
    "1yEybctPDV7MLSU4xPq8xsdWzkpZvNr8RFaHh88r2WUEhtqMhf0Lh3lFR+F55JjLalsm9x+Zh9cD8tU0GEEcH5o6LmcF"
    "Y3t7valmBkHA6wN+tDKy11FdH/qZF1z9uKKk7tATuUf6pL8cPL1Z")
